//! People: their names, requests, items, devices.

pub(super) mod answer_request;
pub(super) mod delete_sticker_pack;
pub(super) mod get_devices;
pub(super) mod get_file;
pub(super) mod get_own_sticker_packs;
pub(super) mod get_sticker_packs;
pub(super) mod get_users;
pub(super) mod report;
pub(super) mod resolve;
pub(super) mod revoke_device;
pub(super) mod revoke_other_devices;
pub(super) mod set_avatar;
pub(super) mod set_items;
pub(super) mod set_name;
pub(super) mod set_sticker_pack;
