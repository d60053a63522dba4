//! The TypeScript declarations of the wire, in one file.

use std::{collections::BTreeMap, fmt::Write};

use ts_rs::{Config, TS, TypeVisitor};

use crate::{
    account::{BulkUsers, BulkUsersMade, Register, SignIn, SignedIn},
    call_report::CallReport,
    command::METHODS,
    event::Event,
};

struct Declarations {
    config: Config,
    by_name: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Types of other crates (uuid, numbers) have no path of their own and are written in place.
        if T::output_path().is_none() {
            return T::visit_dependencies(self);
        }
        let name = T::ident(&self.config);
        if self.by_name.contains_key(&name) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        self.by_name.insert(name, format!("{docs}export {}", T::decl(&self.config)));
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

/// The text of `protocol/generated/protocol.ts`.
pub fn declarations() -> String {
    let mut all = Declarations { config: Config::new().with_large_int("number"), by_name: BTreeMap::new() };
    visit_roots(&mut all);
    let mut out = String::from("// Generated from the protocol crate. Do not edit.\n\n");
    for declaration in all.by_name.values() {
        out.push_str(declaration);
        out.push_str("\n\n");
    }
    out.push_str("/** Every command with its params and its reply. */\nexport interface Commands {\n");
    for method in METHODS {
        let (params, reply) = method.types;
        let _ = writeln!(out, "  {}: {{ params: {params}; reply: {reply} }};", method.name);
    }
    out.push_str("}\n\n/** What a server answers to a request. */\nexport type Reply<M extends keyof Commands> =\n  | { id: number; ok: Commands[M][\"reply\"] }\n  | { id: number | null; error: WireError };\n\n");
    out.push_str(
        "/** Close codes and what to do about them. */\nexport const CLOSE_CODES: Record<number, Action> = {\n",
    );
    for (_, number, action, reason) in crate::CloseCode::ALL {
        let action = serde_json::to_string(action).unwrap_or_default();
        let _ = writeln!(out, "  {number}: {action}, // {reason}");
    }
    out.push_str("};\n");
    out
}

macro_rules! roots {
    ($($root:ty),+ $(,)?) => {
        fn visit_roots(all: &mut Declarations) {
            $(all.visit::<$root>();)+
        }
    };
}

use crate::{WireError, command as c};
roots![
    Event,
    WireError,
    Register,
    SignIn,
    SignedIn,
    BulkUsers,
    BulkUsersMade,
    CallReport,
    crate::SettingsChange,
    c::Hello,
    c::Welcome,
    c::Ping,
    c::Done,
    c::Send,
    c::Sent,
    c::Forward,
    c::SendAlbum,
    c::SentAlbum,
    c::Forward,
    c::GetFile,
    crate::media::FileInfo,
    c::GetLinks,
    c::Links,
    c::SetAvatar,
    c::SetStickerPack,
    crate::sticker::StickerPack,
    c::DeleteStickerPack,
    c::GetStickerPacks,
    c::StickerPacks,
    c::GetOwnStickerPacks,
    c::OwnStickerPacks,
    c::Schedule,
    c::EditScheduled,
    c::SendScheduled,
    c::DeleteScheduled,
    c::GetScheduled,
    c::ScheduledMessages,
    c::ScheduledMessage,
    c::Edit,
    c::Delete,
    c::DeleteMessages,
    c::HideMessages,
    c::React,
    c::GetReactions,
    c::Reactors,
    c::GetReaders,
    c::Readers,
    c::UnpinAll,
    c::Vote,
    c::Voted,
    c::ClosePoll,
    c::GetVoters,
    c::PreviewLink,
    c::LinkPreviewed,
    c::SetDiscussion,
    c::JoinDiscussion,
    c::GetThread,
    c::Voters,
    c::Changed,
    c::MarkRead,
    c::SetTyping,
    c::WatchPresence,
    c::Presences,
    c::History,
    c::Page,
    c::Difference,
    c::Differences,
    crate::ChatSync,
    c::UserDifference,
    c::SetItems,
    c::ItemsSet,
    c::AnswerRequest,
    c::Report,
    crate::Audience,
    c::OpenDirect,
    c::CreateChat,
    c::GetChat,
    c::GetMembers,
    c::Members,
    c::AddMembers,
    c::RemoveMember,
    c::SetRole,
    c::SetChatRights,
    c::SetAdminRights,
    c::RestrictMember,
    c::SetInfo,
    c::PinMessage,
    c::UnpinMessage,
    c::UnbanMember,
    c::GetBanned,
    c::Join,
    c::Leave,
    c::Resolve,
    c::Resolved,
    c::GetUsers,
    c::Users,
    c::CallInvite,
    c::AskCall,
    c::GetRelays,
    c::Relays,
    c::CallRelays,
    c::CallServers,
    c::RateCall,
    c::GetCalls,
    c::Calls,
    c::SeeCalls,
    c::SetName,
    c::SetSlowMode,
    c::SetChatSettings,
    c::GetAdminLog,
    c::AdminLog,
    c::SetInvite,
    c::RevokeInvite,
    c::GetInvites,
    c::Invites,
    c::GetInviteUses,
    c::InviteUses,
    c::PreviewInvite,
    crate::invite::InvitePreview,
    c::JoinByInvite,
    c::JoinedByInvite,
    c::GetJoinRequests,
    c::JoinRequests,
    c::AnswerJoinRequest,
    c::GetDevices,
    c::Devices,
    c::RevokeDevice,
    c::RevokeOtherDevices,
];
