//! What a person with an empty directory and no settings gets.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chapar_server::embedded_postgres::EmbeddedPostgres;
use sqlx::{ConnectOptions, Connection};

fn scratch() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).expect("permissions");
    directory
}

fn pg_bin() -> Option<PathBuf> {
    std::env::var_os("CHAPAR_PG_BIN").map(PathBuf::from)
}

async fn start(data_dir: &Path) -> EmbeddedPostgres {
    EmbeddedPostgres::start(data_dir, pg_bin().as_deref()).await.expect("Postgres starts")
}

async fn ask<T>(postgres: &EmbeddedPostgres, question: &'static str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut connection = postgres.connect_options().connect().await.expect("a connection");
    let answer = sqlx::query_scalar(question).fetch_one(&mut connection).await.expect("an answer");
    connection.close().await.expect("a good-bye");
    answer
}

#[tokio::test]
async fn it_starts_on_nothing_and_finds_everything_again() {
    let scratch = scratch();
    let data_dir = scratch.path().join("not").join("there yet");
    let postgres = start(&data_dir).await;
    let mut connection = postgres.connect_options().connect().await.expect("a connection");
    sqlx::raw_sql("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('سلام')")
        .execute(&mut connection)
        .await
        .expect("a row");
    // Left open: the fast shutdown does not wait for it.
    postgres.stop().await;
    assert!(!data_dir.join("pg/postmaster.pid").exists(), "the shutdown was orderly");
    assert!(!data_dir.join("run/.s.PGSQL.5432").exists(), "the socket is gone");

    let postgres = start(&data_dir).await;
    assert_eq!(ask::<String>(&postgres, "SELECT word FROM kept").await, "سلام");
    postgres.stop().await;
}

#[tokio::test]
async fn it_is_durable_private_and_folds_case_beyond_ascii() {
    let scratch = scratch();
    let postgres = start(scratch.path()).await;
    for (setting, value) in [
        ("SHOW fsync", "on"),
        ("SHOW synchronous_commit", "on"),
        ("SHOW full_page_writes", "on"),
        ("SHOW data_checksums", "on"),
        ("SHOW server_encoding", "UTF8"),
        ("SHOW listen_addresses", ""),
        ("SELECT lower('ÄÉШ')", "äéш"),
    ] {
        assert_eq!(ask::<String>(&postgres, setting).await, value, "{setting}");
    }
    let mode = fs::metadata(postgres.socket_dir()).expect("a directory").mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else reaches the socket");
    postgres.stop().await;
}

#[tokio::test]
async fn a_second_one_on_the_same_directory_is_told_so() {
    let scratch = scratch();
    let first = start(scratch.path()).await;
    let second = EmbeddedPostgres::start(scratch.path(), pg_bin().as_deref()).await;
    let said = second.expect_err("there can be one only").to_string();
    assert!(said.starts_with("Another chapar is already running on "), "{said}");
    assert_eq!(ask::<i32>(&first, "SELECT 1").await, 1, "the first goes on");
    first.stop().await;
}

#[tokio::test]
async fn a_data_directory_too_deep_for_a_socket_works() {
    let scratch = scratch();
    let data_dir = scratch.path().join("d".repeat(60)).join("e".repeat(60));
    let postgres = start(&data_dir).await;
    let socket_dir = postgres.socket_dir().to_owned();
    assert!(!socket_dir.starts_with(&data_dir));
    assert_eq!(ask::<i32>(&postgres, "SELECT 1").await, 1);
    postgres.stop().await;
    assert!(!socket_dir.exists(), "nothing stays outside the data directory");
}

#[tokio::test]
async fn a_half_made_cluster_is_made_again() {
    let scratch = scratch();
    fs::create_dir_all(scratch.path().join("pg.init/base")).expect("a leftover");
    fs::write(scratch.path().join("pg.init/PG_VERSION"), "15\n").expect("a leftover");
    let postgres = start(scratch.path()).await;
    assert_eq!(ask::<i32>(&postgres, "SELECT 1").await, 1);
    postgres.stop().await;
    assert!(!scratch.path().join("pg.init").exists());
}

#[tokio::test]
async fn a_cluster_of_another_version_is_left_alone() {
    let scratch = scratch();
    let cluster = scratch.path().join("pg");
    fs::create_dir(&cluster).expect("a directory");
    fs::write(cluster.join("PG_VERSION"), "9999\n").expect("a version");
    let refused = EmbeddedPostgres::start(scratch.path(), pg_bin().as_deref()).await;
    let said = refused.expect_err("another version").to_string();
    assert!(said.contains("was made by Postgres 9999"), "{said}");
    assert_eq!(fs::read_to_string(cluster.join("PG_VERSION")).expect("untouched"), "9999\n");
}

#[tokio::test]
async fn dropping_it_stops_it_too() {
    let scratch = scratch();
    drop(start(scratch.path()).await);
    // The second start waits until the first has gone.
    let postgres = start(scratch.path()).await;
    assert_eq!(ask::<i32>(&postgres, "SELECT 1").await, 1);
    postgres.stop().await;
}

#[tokio::test]
async fn when_postgres_dies_that_is_said_and_it_can_be_started_again() {
    let scratch = scratch();
    let mut postgres = start(scratch.path()).await;
    let mut connection = postgres.connect_options().connect().await.expect("a connection");
    sqlx::raw_sql("CREATE TABLE kept AS SELECT 7 AS number").execute(&mut connection).await.expect("a row");
    let postmaster = i32::try_from(postgres.process_id().expect("it runs")).expect("a process id");
    let postmaster = rustix::process::Pid::from_raw(postmaster).expect("a process id");
    rustix::process::kill_process(postmaster, rustix::process::Signal::KILL).expect("it can be killed");
    let said = postgres.died().await.to_string();
    assert!(said.starts_with("The private Postgres has ended with signal: 9"), "{said}");
    assert_eq!(postgres.process_id(), None);

    let postgres = start(scratch.path()).await;
    assert_eq!(ask::<i32>(&postgres, "SELECT number FROM kept").await, 7);
    postgres.stop().await;
}
