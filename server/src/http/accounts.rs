//! Registration, sign-in, sign-out, devices.

use std::net::IpAddr;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use chapar_protocol::{
    ErrorCode, User, WireError,
    account::{Register, SignIn, SignedIn},
    command::{Devices, Done, Users},
    text,
};

use super::{
    Peer, Routes,
    address::{From, client_address},
    reply::{Failure, Text, body, json},
};
use crate::{
    app::App,
    limits::subnet,
    passwords::Guest,
    store::{
        StoreError,
        people::accounts::{Caller, Which},
    },
    tokens,
};

/// `POST /api/v1/register`.
pub(super) async fn register(
    State(routes): State<Routes>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    Text(request): Text,
) -> Result<Response, Failure> {
    let app = &routes.app;
    let register: Register = body(&request)?;
    if !app.settings.registration {
        return Err(
            WireError::new(ErrorCode::RegistrationClosed, "this server does not take new accounts by itself").into()
        );
    }
    let handle = text::check_handle(&register.handle)?;
    let name = text::check_title(register.name.as_deref().unwrap_or(&handle))?;
    text::check_password(&register.password)?;
    let network = subnet(client_address(peer, &headers, &app.settings.trusted_proxies));
    app.limits.register(network)?;
    if app.store.people.resolve(&handle).await?.is_some() {
        return Err(ErrorCode::HandleTaken.into());
    }
    let hash = app.passwords.hash(register.password, Guest { network, known: false }).await?;
    app.store.settle_claim(&handle).await?;
    let user = app.store.people.create_user(&handle, &name, Some(&hash)).await?;
    Ok(json(&signed_in(app, user, register.device, network).await?))
}

/// `POST /api/v1/sign-in`. An unknown handle takes as long and answers the same as a wrong password.
pub(super) async fn sign_in(
    State(routes): State<Routes>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    Text(request): Text,
) -> Result<Response, Failure> {
    let app = &routes.app;
    let sign_in: SignIn = body(&request)?;
    let handle = text::check_handle(&sign_in.handle)?;
    text::check_password(&sign_in.password)?;
    let address = client_address(peer, &headers, &app.settings.trusted_proxies);
    let network = subnet(address);
    app.limits.sign_in_from(network)?;
    let place = tokens::place(&handle, network);
    let (user, hash, known) = match app.store.people.credentials(&handle, &place).await? {
        Some(found) => (Some(found.user), found.password_hash, found.knows_network),
        None => (None, None, false),
    };
    app.limits.sign_in_to(&handle, address, known)?;
    let fits = app.passwords.verify(sign_in.password, hash, Guest { network, known }).await?;
    match user {
        Some(user) if fits => {
            app.limits.signed_in_to(&handle, address, known);
            Ok(json(&signed_in(app, user, sign_in.device, network).await?))
        }
        _ => Err(ErrorCode::InvalidCredentials.into()),
    }
}

async fn signed_in(app: &App, user: User, device: Option<String>, from: IpAddr) -> Result<SignedIn, Failure> {
    let name = text::check_title(device.as_deref().unwrap_or("device"))?;
    let (token, kept) = tokens::generate(user.id);
    let (device_id, ended) = app.store.people.create_device(user.id, &kept, &name).await?;
    for device in ended {
        app.signed_out(user.id, device).await;
    }
    app.store.people.know_network(user.id, &tokens::place(&user.handle, from)).await?;
    Ok(SignedIn { token, user, device_id })
}

/// Who sends a request, by `Authorization: Bearer`, from which network.
pub(super) async fn caller(app: &App, network: IpAddr, headers: &HeaderMap) -> Result<Caller, Failure> {
    let token = bearer(headers)
        .ok_or_else(|| WireError::new(ErrorCode::Unauthenticated, "send Authorization: Bearer <token>"))?;
    let Some((user, hash)) = tokens::read(token) else {
        app.strangers.failed(network);
        return Err(ErrorCode::InvalidToken.into());
    };
    let _turn = app.strangers.turn(network).await?;
    let caller = app.store.people.caller(user, &hash).await;
    if matches!(&caller, Err(StoreError::Refused(_))) {
        app.strangers.failed(network);
    }
    Ok(caller?)
}

/// The token in a request's headers. The scheme's name may be written in any case (RFC 9110 section 11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

/// `POST /api/v1/sign-out`.
pub(super) async fn sign_out(
    State(routes): State<Routes>,
    From(network): From,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let app = &routes.app;
    let caller = caller(app, network, &headers).await?;
    for device in app.store.people.revoke_devices(caller.user.id, Which::Only(caller.device_id)).await? {
        app.signed_out(caller.user.id, device).await;
    }
    Ok(json(&Done {}))
}

/// `GET /api/v1/devices`.
pub(super) async fn devices(
    State(routes): State<Routes>,
    From(network): From,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = caller(&routes.app, network, &headers).await?;
    let devices = routes.app.store.people.devices(caller.user.id, Some(caller.device_id)).await?;
    Ok(json(&Devices { devices }))
}

/// `GET /api/v1/me`.
pub(super) async fn me(
    State(routes): State<Routes>,
    From(network): From,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let caller = caller(&routes.app, network, &headers).await?;
    Ok(json(&Users { users: vec![caller.user] }))
}
