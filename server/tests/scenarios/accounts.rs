//! Making accounts and signing in.

use chapar_protocol::{
    ErrorCode,
    account::{Register, SignIn, SignedIn},
    command::{Resolve, Users},
};

use crate::support::{World, http, world::Plan};

async fn register(world: &World, handle: &str, password: &str) -> Result<SignedIn, ErrorCode> {
    let register = Register { handle: handle.to_owned(), password: password.to_owned(), name: None, device: None };
    http::post(world.at(0), "/api/v1/register", None, &register).await.map_err(|error| error.code)
}

async fn sign_in(world: &World, handle: &str, password: &str) -> Result<SignedIn, ErrorCode> {
    let sign_in = SignIn { handle: handle.to_owned(), password: password.to_owned(), device: None };
    http::post(world.at(0), "/api/v1/sign-in", None, &sign_in).await.map_err(|error| error.code)
}

#[tokio::test]
async fn made_and_entered_again() {
    let world = Plan::single().start().await;
    let made = register(&world, "Mahsa", "یک گذرواژهٔ بلند").await.expect("made");
    assert_eq!(made.user.handle, "mahsa");
    let again = sign_in(&world, "mahsa", "یک گذرواژهٔ بلند").await.expect("in");
    assert_eq!(again.user, made.user);
    assert_ne!((again.token.as_str(), again.device_id), (made.token.as_str(), made.device_id));
    let me = http::request(world.at(0), "GET", "/api/v1/me", Some(&again.token), None).await;
    assert_eq!(me.read::<Users>().expect("me").users, std::slice::from_ref(&made.user));
    let found = http::call(world.at(0), &again.token, &Resolve { handle: "mahsa".to_owned() }).await.expect("found");
    assert_eq!(found.user, Some(made.user));
}

#[tokio::test]
async fn what_people_sign_in_by_is_a_row_of_its_own() {
    let world = Plan::single().start().await;
    let [no_password] = world.people().await;
    let made = register(&world, "mahsa", "a long password").await.expect("made");
    let identities = || world.database.sql("SELECT kind, subject, user_id FROM identities ORDER BY subject");
    assert_eq!(identities().trim(), format!("password|mahsa|{}", made.user.id));
    let handle = &no_password.account().user.handle;
    assert_eq!(sign_in(&world, handle, "a long password").await.err(), Some(ErrorCode::InvalidCredentials));
}

#[tokio::test]
async fn what_is_refused() {
    let world = Plan::single().start().await;
    register(&world, "mahsa", "a long password").await.expect("made");
    let refused = async |handle: &str, password: &str| register(&world, handle, password).await.err();
    assert_eq!(refused("MAHSA", "another password").await, Some(ErrorCode::HandleTaken));
    let long = "x".repeat(33);
    for handle in ["", "ab", "1abc", "_abc", "a b c", "مهسا", "a-b", long.as_str()] {
        assert_eq!(refused(handle, "a long password").await, Some(ErrorCode::BadHandle), "{handle}");
    }
    for password in ["", "seven77", "x".repeat(1025).as_str()] {
        assert_eq!(refused("fresh", password).await, Some(ErrorCode::BadPassword));
    }
    // Who is there and who is not cannot be told apart.
    let known = sign_in(&world, "mahsa", "a wrong password").await.err();
    let unknown = sign_in(&world, "nobody_here", "a wrong password").await.err();
    assert_eq!((known, unknown), (Some(ErrorCode::InvalidCredentials), Some(ErrorCode::InvalidCredentials)));
    for body in ["", "{", "[]", "{}", r#"{"handle":7,"password":"a long password"}"#] {
        let response = http::request(world.at(0), "POST", "/api/v1/register", None, Some(body)).await;
        let error = response.read::<SignedIn>().err().expect("refused");
        assert!(matches!(error.code, ErrorCode::BadRequest | ErrorCode::BadFrame), "{body}: {error:?}");
    }
    let huge = format!(r#"{{"handle":"fresh","password":"{}"}}"#, "x".repeat(200_000));
    let response = http::request(world.at(0), "POST", "/api/v1/register", None, Some(&huge)).await;
    assert_eq!(response.read::<SignedIn>().err().expect("refused").code, ErrorCode::TooLarge);
}

#[tokio::test]
async fn fifty_at_once_want_one_handle() {
    let world = Plan::pair().start().await;
    let tries = (0..50).map(|_| register(&world, "wanted", "a long password"));
    let outcomes = futures_util::future::join_all(tries).await;
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(made, 1);
    let rest = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    for code in rest {
        assert!(matches!(code, ErrorCode::HandleTaken | ErrorCode::Overloaded | ErrorCode::RateLimited), "{code:?}");
    }
}

#[tokio::test]
async fn the_operator_closes_registration_and_guards_the_bulk() {
    let world = Plan::single().flags(&["--registration", "false"]).start().await;
    assert_eq!(register(&world, "mahsa", "a long password").await.err(), Some(ErrorCode::RegistrationClosed));
    let bulk = serde_json::json!({ "count": 1, "prefix": "free" });
    for token in [None, Some("tests-know-this-admin-secre"), Some("tests-know-this-admin-secret-")] {
        let refused = http::post::<_, serde_json::Value>(world.at(0), "/api/v1/admin/users", token, &bulk).await;
        let code = refused.expect_err("not the operator").code;
        assert!(
            matches!(code, ErrorCode::Unauthenticated | ErrorCode::InvalidToken | ErrorCode::Forbidden),
            "{code:?}"
        );
    }
}
