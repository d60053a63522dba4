//! How calls went, as an operator reads it: which days, by what, and as a table or CSV.

pub mod day;

use std::collections::BTreeMap;

use chapar_protocol::{
    ErrorCode, WireError,
    call_report::{CallFigures, CallReport, CallsBy},
};
use chapar_signaling::satisfaction::Satisfaction;
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use crate::store::{Store, StoreError};
use day::{iso, jalali, read_day, read_offset};

/// The days of Tehran.
pub const DEFAULT_OFFSET: &str = "+03:30";
/// The most days in one report.
const MOST_DAYS: i64 = 3660;

/// How often the half hours that are over are summed up.
const SUM_UP_EVERY: std::time::Duration = std::time::Duration::from_mins(1);

/// Sums up half hours of calls once they are over, until the task is aborted. Nodes take turns.
pub async fn keep_summing_up(store: Store) {
    let mut every = tokio::time::interval(SUM_UP_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match store.people.roll_up_calls().await {
            Ok(0) => {}
            Ok(half_hours) => tracing::debug!(half_hours, "summed up calls"),
            Err(error) => tracing::warn!(%error, "calls cannot be summed up now"),
        }
    }
}

/// What was asked for, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Asked {
    /// The first day; a week before the last when absent.
    pub from: Option<String>,
    /// The last day; today when absent.
    pub to: Option<String>,
    /// By what; by day when absent.
    pub by: Option<String>,
    /// How far the days are ahead of UTC; [`DEFAULT_OFFSET`] when absent.
    pub utc_offset: Option<String>,
}

/// What was asked for, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    from: Date,
    to: Date,
    by: CallsBy,
    offset: UtcOffset,
}

impl Question {
    /// Reads it.
    ///
    /// # Errors
    /// `BadRequest`, with what is wrong.
    pub fn read(asked: &Asked, now: OffsetDateTime) -> Result<Self, WireError> {
        let bad = |message: String| WireError::new(ErrorCode::BadRequest, message);
        let offset = asked.utc_offset.as_deref().unwrap_or(DEFAULT_OFFSET);
        let offset = read_offset(offset)
            .ok_or_else(|| bad(format!("utc_offset `{offset}` is not one such as +03:30, in steps of half an hour")))?;
        let day = |name: &str, text: &str| {
            read_day(text).ok_or_else(|| bad(format!("{name} `{text}` is not a day such as 2026-11-24 or 1405-09-03")))
        };
        let to = match &asked.to {
            Some(text) => day("to", text)?,
            None => now.to_offset(offset).date(),
        };
        let from = match &asked.from {
            Some(text) => day("from", text)?,
            None => to.checked_sub(Duration::days(6)).unwrap_or(to),
        };
        if from > to {
            return Err(bad(format!("from {} comes after to {}", iso(from), iso(to))));
        }
        if (to - from).whole_days() >= MOST_DAYS {
            return Err(bad(format!("at most {MOST_DAYS} days at once")));
        }
        let by = asked.by.as_deref().unwrap_or("day");
        let by = CallsBy::ALL.into_iter().find(|it| it.name() == by).ok_or_else(|| {
            let names = CallsBy::ALL.map(CallsBy::name).join(", ");
            bad(format!("by `{by}` is none of {names}"))
        })?;
        Ok(Self { from, to, by, offset })
    }

    /// Answers it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn answer(&self, store: &Store) -> Result<CallReport, StoreError> {
        let begin = |day: Date| day.midnight().assume_offset(self.offset).to_offset(UtcOffset::UTC);
        let sums = store
            .people
            .call_report(self.by, begin(self.from), begin(self.to) + Duration::days(1), self.offset)
            .await?;
        Ok(self.report(&sums))
    }

    fn report(&self, sums: &BTreeMap<String, Satisfaction>) -> CallReport {
        let mut total = Satisfaction::default();
        for line in sums.values() {
            total.merge(line);
        }
        let mut lines: Vec<CallFigures> = sums.iter().map(|(value, sums)| figures(value, sums)).collect();
        if self.by != CallsBy::Day {
            lines.sort_by_key(|line| std::cmp::Reverse(line.calls));
        }
        let (hours, minutes, _) = self.offset.as_hms();
        let sign = if self.offset.is_negative() { '-' } else { '+' };
        CallReport {
            from: iso(self.from),
            to: iso(self.to),
            utc_offset: format!("{sign}{:02}:{:02}", hours.abs(), minutes.abs()),
            by: self.by,
            lines,
            total: figures("", &total),
        }
    }
}

fn figures(value: &str, sums: &Satisfaction) -> CallFigures {
    let satisfied = sums.satisfied_share();
    CallFigures {
        value: value.to_owned(),
        calls: sums.calls,
        answered: sums.answered,
        connected: sums.connected,
        setup_success: sums.setup_success(),
        setup_seconds_p50: sums.setup.quantile(0.5),
        setup_seconds_p95: sums.setup.quantile(0.95),
        scored: sums.scored,
        mos: sums.mos(),
        poor: sums.poor_share(),
        rated: sums.rated,
        satisfied: satisfied.map(|it| it.1),
        satisfied_low: satisfied.map(|it| it.0),
        satisfied_high: satisfied.map(|it| it.2),
        stars: sums.mean_stars(),
    }
}

const COLUMNS: [&str; 14] = [
    "calls",
    "answered",
    "connected",
    "setup_success",
    "setup_seconds_p50",
    "setup_seconds_p95",
    "scored",
    "mos",
    "poor",
    "rated",
    "satisfied",
    "satisfied_low",
    "satisfied_high",
    "stars",
];

/// The lines as CSV (RFC 4180), without the total: whoever adds up would count it twice. Shares are 0 to 1, days ISO 8601;
/// a field is empty where there is nothing to tell.
///
/// # Errors
/// Never, as it is written into memory.
pub fn csv(report: &CallReport) -> Result<String, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(std::iter::once(report.by.name()).chain(COLUMNS))?;
    for line in &report.lines {
        out.write_record(std::iter::once(line.value.clone()).chain(cells(line, |it| it.to_string(), plain, plain)))?;
    }
    let bytes = out.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines as a table for people: days of the Jalali calendar with the Gregorian day beside them, shares in percent.
pub fn table(report: &CallReport) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let first: &[&str] = if report.by == CallsBy::Day { &["day", "gregorian"] } else { &[report.by.name()] };
    rows.push(first.iter().copied().chain(COLUMNS).map(str::to_owned).collect());
    let two = |value: f64| format!("{value:.2}");
    let percent = |value: f64| format!("{:.1}%", value * 100.0);
    for line in &report.lines {
        let mut row = match read_day(&line.value) {
            Some(day) if report.by == CallsBy::Day => vec![jalali(day), iso(day)],
            _ if line.value.is_empty() => vec!["-".to_owned()],
            _ => vec![line.value.clone()],
        };
        row.extend(cells(line, |it| it.to_string(), two, percent));
        rows.push(row);
    }
    let mut row = vec!["total".to_owned()];
    row.resize(first.len(), String::new());
    row.extend(cells(&report.total, |it| it.to_string(), two, percent));
    rows.push(row);
    aligned(&rows, first.len())
}

fn plain(value: f64) -> String {
    format!("{value:.4}")
}

/// The cells of a line in the order of [`COLUMNS`].
fn cells(
    line: &CallFigures,
    whole: impl Fn(u64) -> String,
    number: impl Fn(f64) -> String,
    share: impl Fn(f64) -> String,
) -> [String; 14] {
    let number = |value: Option<f64>| value.map(&number).unwrap_or_default();
    let share = |value: Option<f64>| value.map(&share).unwrap_or_default();
    [
        whole(line.calls),
        whole(line.answered),
        whole(line.connected),
        share(line.setup_success),
        number(line.setup_seconds_p50),
        number(line.setup_seconds_p95),
        whole(line.scored),
        number(line.mos),
        share(line.poor),
        whole(line.rated),
        share(line.satisfied),
        share(line.satisfied_low),
        share(line.satisfied_high),
        number(line.stars),
    ]
}

/// Columns of one width: the first ones begin on the left, numbers end on the right.
fn aligned(rows: &[Vec<String>], left: usize) -> String {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, to: &str, by: &str) -> Asked {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Asked { from: some(from), to: some(to), by: some(by), utc_offset: None }
    }

    fn now() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_795_500_000).expect("2026-11-24T06:40:00Z")
    }

    #[test]
    fn what_is_asked_is_checked() {
        let read = |from, to, by| Question::read(&asked(from, to, by), now());
        let week = read("", "", "").expect("defaults");
        assert_eq!((iso(week.from), iso(week.to), week.by), ("2026-11-18".into(), "2026-11-24".into(), CallsBy::Day));
        let jalali = read("1405-09-01", "1405-09-03", "relay").expect("Jalali");
        assert_eq!((iso(jalali.from), iso(jalali.to)), ("2026-11-22".into(), "2026-11-24".into()));
        for (from, to, by) in [
            ("x", "", ""),
            ("", "2026-13-01", ""),
            ("2026-11-25", "2026-11-24", ""),
            ("1900-01-01", "", ""),
            ("", "", "color"),
        ] {
            let error = read(from, to, by).expect_err("bad");
            assert_eq!(error.code, ErrorCode::BadRequest, "{from} {to} {by}");
        }
        let odd = Asked { utc_offset: Some("+03:20".to_owned()), ..Asked::default() };
        assert!(Question::read(&odd, now()).is_err(), "days that begin within a half hour");
    }

    #[test]
    fn csv_quotes_what_operators_call_their_regions() {
        let mut sums = Satisfaction { calls: 3, answered: 2, connected: 1, ..Satisfaction::default() };
        sums.setup.add(50, 1);
        let question = Question::read(&asked("", "", "region"), now()).expect("good");
        let report = question.report(&BTreeMap::from([("Mecca, \"Haram\"".to_owned(), sums)]));
        let csv = csv(&report).expect("memory");
        let mut lines = csv.lines();
        assert_eq!(lines.next(), Some(format!("region,{}", COLUMNS.join(",")).as_str()));
        let line = lines.next().expect("a line");
        assert!(line.starts_with("\"Mecca, \"\"Haram\"\"\",3,2,1,0.5000,"), "{line}");
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn people_read_jalali_days() {
        let sums = Satisfaction { calls: 3, answered: 2, connected: 1, ..Satisfaction::default() };
        let question = Question::read(&asked("", "", "day"), now()).expect("good");
        let table = table(&question.report(&BTreeMap::from([("2026-11-24".to_owned(), sums)])));
        let rows: Vec<&str> = table.lines().collect();
        assert!(rows[1].starts_with("1405-09-03  2026-11-24      3         2          1          50.0%"), "{table}");
        assert!(rows[2].starts_with("total"), "{table}");
    }
}
