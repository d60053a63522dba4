//! What random people want of a chat, sensible or not.

use chapar_protocol::{ChatKind, Right, Role, SettingsChange, UserId};
use rand::{RngExt as _, rngs::StdRng};
use uuid::Uuid;

use super::{
    lane::{Lane, now},
    photo_of,
    reference::{RIGHTS, Wish},
};
use crate::support::Device;

impl Lane {
    /// What one to three people ask at once. What one person asks in a row is done in this order.
    pub(super) fn wishes(&self, devices: &[Device], rng: &mut StdRng) -> Vec<(Device, Vec<Wish>)> {
        let count = rng.random_range(1..=3);
        let mut chosen: Vec<Device> = Vec::new();
        while chosen.len() < count {
            let device = &devices[rng.random_range(0..devices.len())];
            let inside = self.room().role(device.id()).is_some();
            if (inside || rng.random_ratio(1, 4)) && chosen.iter().all(|it| it.id() != device.id()) {
                chosen.push(device.clone());
            }
        }
        let people: Vec<UserId> = devices.iter().step_by(2).map(Device::id).collect();
        let wishes = |device: Device, rng: &mut StdRng| {
            let by = device.id();
            let wishes = if rng.random_ratio(1, 3) {
                vec![self.single(by, &people, count == 1, rng)]
            } else {
                let most = if count == 1 { 6 } else { 2 };
                (0..rng.random_range(1..=most)).map(|_| self.in_a_row(by, &people, rng)).collect()
            };
            (device, wishes)
        };
        chosen.into_iter().map(|device| wishes(device, rng)).collect()
    }

    /// What keeps its order with what the same connection asks before and after it.
    fn in_a_row(&self, by: UserId, people: &[UserId], rng: &mut StdRng) -> Wish {
        let somebody = people[rng.random_range(0..people.len())];
        let text = format!("متن {}", rng.random_range(0..1000));
        let client_id = Uuid::from_u128(rng.random());
        // Who may much does much.
        match self.room().role(by) {
            Some(Role::Owner) if rng.random_ratio(2, 5) => return self.power(somebody, rng),
            Some(Role::Admin) if rng.random_ratio(1, 4) => return self.power(somebody, rng),
            _ => {}
        }
        match rng.random_range(0..100) {
            0..34 => {
                let reply_to = rng.random_ratio(1, 4).then(|| self.line(rng));
                Wish::Send { client_id, text, reply_to }
            }
            34..38 => match self.room().used(by, rng.random_range(0..1000)) {
                // A retry, or another text under the same id: nobody knows which.
                Some(client_id) => Wish::Send { client_id, text, reply_to: None },
                None => poison(rng),
            },
            38..44 => poison(rng),
            44..56 => Wish::Edit(self.line(rng), text),
            56..62 => Wish::Delete(self.line(rng)),
            62..64 => Wish::DeleteSome((0..rng.random_range(1..4)).map(|_| self.line(rng)).collect()),
            64..80 => {
                let emoji = ["👍", "😂", "🔥"][rng.random_range(0..3)];
                Wish::React(self.line(rng), rng.random_ratio(3, 4).then(|| emoji.to_owned()))
            }
            80..85 => Wish::Remove(somebody),
            85..90 => Wish::Pin(self.line(rng)),
            90..92 => Wish::Unpin(self.line(rng)),
            92..95 => {
                let words = ["", "یک", "دو"][rng.random_range(0..3)];
                let title = rng.random::<bool>().then(|| format!("نام {}", rng.random_range(0..9)));
                let description = (title.is_none() || rng.random()).then(|| words.to_owned());
                Wish::SetInfo(title, description)
            }
            95 => Wish::SetPhoto(None),
            96 => settings(rng),
            _ => self.power(somebody, rng),
        }
    }

    /// What says who may what.
    fn power(&self, somebody: UserId, rng: &mut StdRng) -> Wish {
        match rng.random_range(0..100) {
            0..30 => another_role(somebody, rng),
            30..45 => Wish::SetRights(self.rights(rng)),
            45..60 => Wish::SetAdminRights(somebody, some(&RIGHTS, rng)),
            60..80 => {
                let until = match rng.random_range(0..8) {
                    0 => Some(now() - 1000),
                    1..5 => Some(now() + rng.random_range(200..1500)),
                    5 => Some(now() + 3_600_000),
                    _ => None,
                };
                Wish::Restrict(somebody, self.rights(rng), until)
            }
            80..90 => Wish::Unban(somebody),
            _ => Wish::Remove(somebody),
        }
    }

    /// Rights that everybody may have here, or now and then one that not everybody can.
    fn rights(&self, rng: &mut StdRng) -> Vec<Right> {
        let fitting: &[Right] = match self.room().kind {
            _ if rng.random_ratio(1, 8) => &RIGHTS,
            ChatKind::Channel => &[Right::React],
            _ => &[Right::Write, Right::React, Right::Add, Right::List, Right::ChangeInfo, Right::Pin],
        };
        some(fitting, rng)
    }

    /// What is answered on its own.
    fn single(&self, by: UserId, people: &[UserId], alone: bool, rng: &mut StdRng) -> Wish {
        let owns_channel = self.room().kind == ChatKind::Channel && self.room().role(by) == Some(Role::Owner);
        if self.room().kind == ChatKind::Direct && rng.random_ratio(1, 2) {
            let other = self.room().people.keys().copied().find(|it| *it != by);
            if let Some(other) = other.filter(|_| self.room().role(by).is_some()) {
                return Wish::Block(other, rng.random());
            }
        }
        match rng.random_range(0..100) {
            0..8 => Wish::List,
            8..16 => Wish::ListBanned,
            // The file is looked at first: meanwhile others may come before.
            16..24 => Wish::SetPhoto(Some(photo_of(by))),
            40..70 => {
                // Several at once are looked at before they are added: somebody who goes in between is left out.
                let count = if alone { rng.random_range(1..=3) } else { 1 };
                Wish::Add((0..count).map(|_| people[rng.random_range(0..people.len())]).collect())
            }
            70..90 if self.handle.is_some() => Wish::Join,
            // How many are in a channel is known roughly: its owner stays.
            90.. if !owns_channel && (self.handle.is_some() || rng.random_ratio(1, 4)) => Wish::Leave,
            _ => Wish::Read(self.line(rng)),
        }
    }

    /// A message, often a late one, at times one that is not there.
    fn line(&self, rng: &mut StdRng) -> i64 {
        let last = i64::try_from(self.room().lines.len()).expect("few");
        if rng.random() { (last + 1 - rng.random_range(0..10)).max(0) } else { rng.random_range(0..last + 3) }
    }
}

fn another_role(user: UserId, rng: &mut StdRng) -> Wish {
    let roles = [Role::Member, Role::Admin, Role::Admin, Role::Admin, Role::Owner];
    Wish::SetRole(user, roles[rng.random_range(0..roles.len())])
}

/// About two thirds of some rights, in their order and each once.
fn some(of: &[Right], rng: &mut StdRng) -> Vec<Right> {
    RIGHTS.into_iter().filter(|it| of.contains(it) && rng.random_ratio(2, 3)).collect()
}

fn poison(rng: &mut StdRng) -> Wish {
    Wish::Poison(Uuid::from_u128(0xdead_0000 << 96 | rng.random::<u128>() >> 32))
}

/// Other settings: of messages that delete themselves only so late that none does meanwhile.
fn settings(rng: &mut StdRng) -> Wish {
    let mut change = SettingsChange::default();
    match rng.random_range(0..3) {
        0 => change.no_forwarding = Some(rng.random()),
        1 => change.signed = Some(rng.random()),
        _ => change.delete_after = Some(86_400 * rng.random_range(0..3)),
    }
    Wish::Settings(change)
}
