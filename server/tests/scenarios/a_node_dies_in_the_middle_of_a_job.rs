//! Durable work: two nodes do each job once; what a dead node was at is taken over when its lease has run out; what always fails ends as
//! a dead letter that an operator sees and can have tried anew.

use std::time::{Duration, Instant};

use crate::support::{World, http, node::binary, within, world::Plan};

/// How often jobs ended so, over all nodes.
async fn ended(world: &World, outcome: &str) -> u64 {
    let mut sum = 0;
    for node in 0..world.nodes.len() {
        let metrics = http::get(world.at(node), "/metrics").await.body;
        let line = format!("chapar_jobs_total{{outcome=\"{outcome}\"}} ");
        sum += metrics.lines().find_map(|it| it.strip_prefix(&line)).map_or(0, |it| it.parse().expect("a number"));
    }
    sum
}

async fn until(world: &World, what: &str, sql: &str, expected: &str) {
    within(what, async {
        while world.database.sql(sql).trim() != expected {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

fn admin(world: &World, arguments: &[&str]) -> (bool, String) {
    let mut command = binary();
    let url = world.nodes[0].options().database_url.clone().expect("planned");
    command.arg("admin").args(arguments).arg("--data-dir").arg(world.directory().join("admin"));
    let output = command.args(["--database-url", &url]).output().expect("it ends");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The recurring ones have had their turn.
const RESTING: &str = "SELECT count(*) FROM jobs WHERE every IS NOT NULL AND run_at > now() + interval '1 minute'";
const ONCE: &str = "SELECT count(*) FROM jobs WHERE every IS NULL";

#[tokio::test]
async fn two_nodes_do_each_job_once() {
    let world = Plan::pair().start().await;
    until(&world, "the recurring jobs", RESTING, "3").await;
    let before = ended(&world, "done").await;
    assert!(before >= 3, "{before}");
    world.database.sql("INSERT INTO jobs (kind) SELECT 'expire_claims' FROM generate_series(1, 60)");
    until(&world, "all jobs to be done", ONCE, "0").await;
    within("the last to be counted", async {
        while ended(&world, "done").await < before + 60 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(ended(&world, "done").await, before + 60);
    assert_eq!((ended(&world, "failed").await, ended(&world, "dead").await), (0, 0));
}

#[tokio::test]
async fn a_name_claimed_for_a_chat_that_was_never_made_is_free_again() {
    let mut world = Plan::first().start().await;
    until(&world, "the recurring jobs", RESTING, "3").await;
    world.database.sql(
        "INSERT INTO handles (handle, chat_id, confirmed, claimed_at) VALUES
             ('never_made', 999424, false, now() - interval '3 hours'), ('being_made', 999425, false, now());
         CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN OLD; END $$;
         CREATE TRIGGER slowly BEFORE DELETE ON handles FOR EACH ROW EXECUTE FUNCTION slowly();
         UPDATE jobs SET run_at = now() WHERE kind = 'expire_claims'",
    );
    until(
        &world,
        "somebody to be at it",
        "SELECT count(*) FROM jobs WHERE kind = 'expire_claims' AND lease IS NOT NULL",
        "1",
    )
    .await;
    let began = Instant::now();
    world.nodes[0].kill();
    // What the dead node had asked of the database may still end there.
    within("the trigger to be gone", async { world.database.sql("DROP TRIGGER slowly ON handles") }).await;
    world.database.sql(
        "INSERT INTO handles (handle, chat_id, confirmed, claimed_at) VALUES
             ('never_made_either', 999426, false, now() - interval '3 hours')",
    );
    world.join().await;
    let left = "SELECT string_agg(handle, ' ' ORDER BY handle) FROM handles WHERE NOT confirmed";
    until(&world, "the job to be taken over", left, "being_made").await;
    println!("taken over after {:?}", began.elapsed());
    assert!(began.elapsed() > Duration::from_secs(10), "not before the lease has run out");
    until(&world, "it to be done", "SELECT count(*) FROM jobs WHERE kind = 'expire_claims' AND attempts = 0", "1")
        .await;
}

#[tokio::test]
async fn what_always_fails_is_a_dead_letter() {
    let world = Plan::single().start().await;
    until(&world, "the recurring jobs", RESTING, "3").await;
    world.database.sql("INSERT INTO jobs (kind) VALUES ('no_such_job'); ALTER FUNCTION tend_feed() RENAME TO gone");
    // Time passes quickly here: the pauses between the tries grow to minutes.
    let tried = "WITH now AS (UPDATE jobs SET run_at = now() WHERE dead_at IS NULL AND lease IS NULL
                              AND kind IN ('no_such_job', 'tend_feed') AND run_at > now())
                 SELECT count(*) FROM jobs WHERE dead_at IS NOT NULL AND attempts = 8";
    until(&world, "both to be given up", tried, "2").await;
    assert_eq!((ended(&world, "failed").await, ended(&world, "dead").await), (14, 2));
    within("the operator to see it", async {
        while !http::get(world.at(0), "/metrics").await.body.contains("chapar_jobs_dead 2") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    let (_, list) = admin(&world, &["jobs"]);
    let line = |kind: &str| list.lines().find(|it| it.contains(kind)).unwrap_or_else(|| panic!("{list}")).to_owned();
    assert!(line("no_such_job").contains("knows no such job"), "{list}");
    let id = line("tend_feed").split('\t').next().expect("an id").to_owned();
    world.database.sql("ALTER FUNCTION gone() RENAME TO tend_feed");
    assert!(admin(&world, &["retry-job", &id]).0);
    assert!(!admin(&world, &["retry-job", "999999"]).0, "there is none");
    until(&world, "it to be done", RESTING, "3").await;
    assert!(!admin(&world, &["retry-job", &id]).0, "it is no dead letter any more");
}
