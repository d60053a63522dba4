//! Days, as people type and read them.

use icu_calendar::cal::{Gregorian, Persian};
use time::{Date, Month, UtcOffset};

/// Reads `YYYY-MM-DD`: Gregorian, or Jalali where the year is below 1700.
pub fn read_day(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let mut next = |digits: usize| {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { part.parse::<u16>().ok() } else { None }
    };
    let (year, month, day) = (next(4)?, u8::try_from(next(2)?).ok()?, u8::try_from(next(2)?).ok()?);
    if year >= 1700 {
        return Date::from_calendar_date(year.into(), Month::try_from(month).ok()?, day).ok();
    }
    let persian = icu_calendar::Date::try_new_persian(year.into(), month, day).ok()?;
    let gregorian = persian.to_calendar(Gregorian);
    let month = Month::try_from(gregorian.month().ordinal).ok()?;
    Date::from_calendar_date(gregorian.year().extended_year(), month, gregorian.day_of_month().0).ok()
}

/// As on the wire.
pub fn iso(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

/// As people read it, in the Jalali calendar.
pub fn jalali(day: Date) -> String {
    let Ok(gregorian) = icu_calendar::Date::try_new_gregorian(day.year(), u8::from(day.month()), day.day()) else {
        return iso(day);
    };
    let persian = gregorian.to_calendar(Persian);
    format!("{:04}-{:02}-{:02}", persian.year().extended_year(), persian.month().ordinal, persian.day_of_month().0)
}

/// Reads `+03:30`, `-02:00` or `Z`; only whole half hours, at most 14 hours.
pub fn read_offset(text: &str) -> Option<UtcOffset> {
    if text == "Z" {
        return Some(UtcOffset::UTC);
    }
    // In a URL a plus that is not encoded reads as a space.
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+" | " ", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i8, i8) = (hours.parse().ok()?, minutes.parse().ok()?);
    let good = (0..=14).contains(&hours) && [0, 30].contains(&minutes) && rest.len() == 5;
    if good { UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jalali_days_are_those_of_the_official_calendar() {
        // Nowruz of years around leap years (1399, 1403 and 1408 have 366 days), and the last day of one.
        for (gregorian, persian) in [
            ("2026-11-24", "1405-09-03"),
            ("2020-03-20", "1399-01-01"),
            ("2021-03-20", "1399-12-30"),
            ("2021-03-21", "1400-01-01"),
            ("2025-03-20", "1403-12-30"),
            ("2025-03-21", "1404-01-01"),
            ("2030-03-20", "1408-12-30"),
        ] {
            let day = read_day(gregorian).expect("a day");
            assert_eq!(jalali(day), persian);
            assert_eq!(read_day(persian), Some(day));
            assert_eq!(iso(day), gregorian);
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in ["", "2026-02-30", "2026-2-3", "1404-12-30", "1405-13-01", "2026-01-01-01", "+026-01-01", "today"] {
            assert_eq!(read_day(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_are_whole_half_hours() {
        assert_eq!(read_offset("+03:30").map(UtcOffset::whole_minutes), Some(210));
        assert_eq!(read_offset(" 03:30").map(UtcOffset::whole_minutes), Some(210));
        assert_eq!(read_offset("-02:30").map(UtcOffset::whole_minutes), Some(-150));
        assert_eq!(read_offset("Z"), Some(UtcOffset::UTC));
        for text in ["", "+3:30", "+05:45", "03:30", "+15:00", "+03:-3", "+٠٣:٣٠"] {
            assert_eq!(read_offset(text), None, "{text}");
        }
    }
}
