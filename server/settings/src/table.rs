//! The table of settings: what stands here has a flag, a variable, a key in the file and a line of help.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes, and the key in the file.
    pub name: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// What stands for the value in the help.
    pub value: &'static str,
    /// One sentence, with the default.
    pub help: &'static str,
    /// Whether its value is hidden wherever it would be shown.
    pub secret: bool,
}

const fn setting(name: &'static str, variable: &'static str, value: &'static str, help: &'static str) -> Setting {
    Setting { name, variable, value, help, secret: false }
}

const fn secret(name: &'static str, variable: &'static str, value: &'static str, help: &'static str) -> Setting {
    Setting { name, variable, value, help, secret: true }
}

/// Every setting, in the order in which they are shown.
pub const SETTINGS: [Setting; 57] = [
    setting("listen", "CHAPAR_LISTEN", "ADDRESS", "Address and port to serve on [default: 127.0.0.1:8080]"),
    setting("data-dir", "CHAPAR_DATA_DIR", "DIRECTORY", "Where everything that must be kept lies [default: ./data]"),
    secret("database-url", "DATABASE_URL", "URL", "postgres://… [default: a private Postgres in the data directory]"),
    secret(
        "people-database-url",
        "PEOPLE_DATABASE_URL",
        "URL",
        "The same, for what belongs to people [default: database-url]",
    ),
    secret(
        "redis-url",
        "REDIS_URL",
        "URL",
        "Redis, for more than one node: redis://HOST:PORT, redis+cluster://HOST:PORT,HOST:PORT or \
         redis+sentinel://HOST:PORT,HOST:PORT/SERVICE; rediss for TLS [default: one node, no Redis]",
    ),
    setting("pg-bin", "CHAPAR_PG_BIN", "DIRECTORY", "Where initdb and postgres are [default: looked for]"),
    setting("database-connections", "CHAPAR_DATABASE_CONNECTIONS", "N", "Connections to Postgres [default: 24]"),
    setting("public-url", "CHAPAR_PUBLIC_URL", "URL", "The address that people type, for links that leave the app"),
    setting(
        "allowed-origins",
        "CHAPAR_ALLOWED_ORIGINS",
        "ORIGINS",
        "Origins whose pages may connect, separated by commas; * for all [default: the same origin only]",
    ),
    setting(
        "trusted-proxies",
        "CHAPAR_TRUSTED_PROXIES",
        "NETWORKS",
        "Proxies whose X-Forwarded-For is believed, as addresses or CIDR, separated by commas [default: none]",
    ),
    setting("tls-cert", "CHAPAR_TLS_CERT", "FILE", "PEM certificate chain, together with --tls-key [default: no TLS]"),
    setting("tls-key", "CHAPAR_TLS_KEY", "FILE", "PEM private key, together with --tls-cert"),
    secret(
        "admin-token",
        "CHAPAR_ADMIN_TOKEN",
        "TOKEN",
        "Opens the administrator's HTTP routes, at least 16 characters; better in the environment or the file, because \
         everybody on the machine sees flags [default: closed]",
    ),
    setting(
        "metrics-listen",
        "CHAPAR_METRICS_LISTEN",
        "ADDRESS",
        "Address and port where /metrics is open without a token: one that only your monitoring reaches [default: none]",
    ),
    setting("registration", "CHAPAR_REGISTRATION", "true|false", "Whether anybody may register [default: true]"),
    setting("log-format", "CHAPAR_LOG_FORMAT", "text|json", "How log lines are written [default: text]"),
    setting(
        "log-level",
        "CHAPAR_LOG_LEVEL",
        "LEVEL",
        "error, warn, info, debug or trace, or levels by part: info,sqlx=warn [default: info]",
    ),
    setting("max-connections", "CHAPAR_MAX_CONNECTIONS", "N", "Connections on this node [default: 20000]"),
    setting(
        "max-connections-per-address",
        "CHAPAR_MAX_CONNECTIONS_PER_ADDRESS",
        "N",
        "Connections from one address; mobile carriers put thousands of people behind one [default: 1000]",
    ),
    setting(
        "heartbeat-seconds",
        "CHAPAR_HEARTBEAT_SECONDS",
        "SECONDS",
        "After how much silence a client is pinged; after twice that it is let go [default: 30]",
    ),
    setting(
        "drain-seconds",
        "CHAPAR_DRAIN_SECONDS",
        "SECONDS",
        "How long a stopping node lets its clients leave [default: 10]",
    ),
    setting(
        "reconnect-spread-ms",
        "CHAPAR_RECONNECT_SPREAD_MS",
        "MILLISECONDS",
        "Over what time clients spread their return to other nodes [default: 5000]",
    ),
    setting(
        "hash-concurrency",
        "CHAPAR_HASH_CONCURRENCY",
        "N",
        "Passwords hashed at the same time, 19 MiB of memory each [default: half the cores]",
    ),
    setting("hash-queue", "CHAPAR_HASH_QUEUE", "N", "Passwords that may wait to be hashed [default: 64]"),
    setting(
        "messages-per-second",
        "CHAPAR_MESSAGES_PER_SECOND",
        "N",
        "Messages that one user may send in a second, in bursts four times as many; 0 is no bound [default: 30]",
    ),
    setting(
        "new-contacts-per-day",
        "CHAPAR_NEW_CONTACTS_PER_DAY",
        "N",
        "People who have not answered yet that one user may write to or add to chats in a day, those in a shared group at \
         a quarter; 0 is no bound [default: 200]",
    ),
    setting(
        "stranger-chats-per-day",
        "CHAPAR_STRANGER_CHATS_PER_DAY",
        "N",
        "Chats into which people whom they have not answered may put one user in a day, all of them together; 0 is no \
         bound [default: 50]",
    ),
    setting(
        "lookups-per-day",
        "CHAPAR_LOOKUPS_PER_DAY",
        "N",
        "Handles that one user may look up in a day; 0 is no bound, and everybody can be named by id [default: 1000]",
    ),
    setting(
        "commit-workers",
        "CHAPAR_COMMIT_WORKERS",
        "N",
        "Transactions that store messages at the same time [default: 2]",
    ),
    setting(
        "calls-per-minute",
        "CHAPAR_CALLS_PER_MINUTE",
        "N",
        "Calls that one user may begin in a minute, half of them to the same person; 0 is no bound [default: 20]",
    ),
    setting(
        "call-rating-percent",
        "CHAPAR_CALL_RATING_PERCENT",
        "N",
        "Of how many calls in a hundred the two people are asked afterwards how it was [default: 10]",
    ),
    setting(
        "call-loopback",
        "CHAPAR_CALL_LOOPBACK",
        "true|false",
        "Whether calls may use addresses of this machine: for a development machine only [default: false]",
    ),
    setting(
        "call-forbidden-networks",
        "CHAPAR_CALL_FORBIDDEN_NETWORKS",
        "NETWORKS",
        "The operator's own networks, which no call may reach, as addresses or CIDR, separated by commas [default: none]",
    ),
    setting("worker-threads", "CHAPAR_WORKER_THREADS", "N", "Threads of the runtime [default: one per core]"),
    setting(
        "relay",
        "CHAPAR_RELAY",
        "ADDRESSES|off",
        "Where this node relays calls (STUN and TURN over UDP and TCP), or off [default: port 3478 beside --listen]",
    ),
    setting(
        "relay-tls",
        "CHAPAR_RELAY_TLS",
        "ADDRESSES",
        "Where it relays over TLS, with the certificate of --tls-cert [default: port 5349 beside --relay]",
    ),
    setting(
        "relay-address",
        "CHAPAR_RELAY_ADDRESS",
        "ADDRESSES",
        "Addresses to relay from, at most one per family; BIND/PUBLIC behind a one-to-one NAT [default: that of --relay, \
         or of the machine]",
    ),
    setting(
        "relay-host",
        "CHAPAR_RELAY_HOST",
        "HOST",
        "The name or address at which clients reach the relay [default: the relayed address; for TLS the host of \
         --public-url]",
    ),
    setting("relay-ports", "CHAPAR_RELAY_PORTS", "FIRST-LAST", "Ports to relay from [default: 49152-65535]"),
    secret(
        "relay-secret",
        "CHAPAR_RELAY_SECRET",
        "SECRET",
        "What nodes and relays share, at least 20 characters; the old one after a comma while it is being changed \
         [default: made, and kept in the data directory]",
    ),
    setting("relay-name", "CHAPAR_RELAY_NAME", "NAME", "The name of this node's relay [default: the machine's]"),
    setting("relay-region", "CHAPAR_RELAY_REGION", "TEXT", "Where it stands, for people [default: local]"),
    setting(
        "relay-allow",
        "CHAPAR_RELAY_ALLOW",
        "NETWORKS",
        "Private networks that it may relay to, separated by commas [default: none]",
    ),
    setting(
        "relay-deny",
        "CHAPAR_RELAY_DENY",
        "NETWORKS",
        "Networks that it never relays to: your own back ends [default: none]",
    ),
    setting(
        "relays",
        "CHAPAR_RELAYS",
        "RELAYS",
        "Relays that do not register themselves, such as coturn with the same secret: NAME@REGION=URL URL, separated by \
         commas [default: none]",
    ),
    setting(
        "files-dir",
        "CHAPAR_FILES_DIR",
        "DIRECTORY",
        "Where uploads are received, and complete files lie; several nodes may share it [default: files in data-dir]",
    ),
    setting(
        "blob-url",
        "CHAPAR_BLOB_URL",
        "URL",
        "s3://BUCKET/PREFIX, where complete files lie [default: in files-dir]",
    ),
    setting("s3-endpoint", "CHAPAR_S3_ENDPOINT", "URL", "The S3 server of blob-url [default: that of AWS]"),
    setting("s3-region", "CHAPAR_S3_REGION", "REGION", "Its region [default: us-east-1]"),
    setting(
        "s3-access-key",
        "CHAPAR_S3_ACCESS_KEY",
        "KEY",
        "With what requests to it are signed, together with s3-secret-key [default: the machine's own role]",
    ),
    secret("s3-secret-key", "CHAPAR_S3_SECRET_KEY", "SECRET", "The secret of s3-access-key"),
    setting(
        "upload-quota",
        "CHAPAR_UPLOAD_QUOTA",
        "MIB",
        "MiB that one account may upload in a day; 0 is no bound [default: 10240]",
    ),
    setting(
        "scanner",
        "CHAPAR_SCANNER",
        "ADDRESS",
        "clamd, as HOST:PORT or the path of its socket: looks through files before anybody gets them [default: none]",
    ),
    setting(
        "scanner-fail-open",
        "CHAPAR_SCANNER_FAIL_OPEN",
        "true|false",
        "Whether files pass that the scanner could not look through [default: false]",
    ),
    setting(
        "link-previews",
        "CHAPAR_LINK_PREVIEWS",
        "true|false",
        "Whether this node looks what stands behind a link when its sender asks: it then asks sites on the Internet [default: false]",
    ),
    setting(
        "link-preview-networks",
        "CHAPAR_LINK_PREVIEW_NETWORKS",
        "NETWORKS",
        "Networks beside the open Internet where it may look, such as an intranet's web servers, separated by commas: everybody with an \
         account sees titles from there [default: none]",
    ),
    setting(
        "link-preview-ports",
        "CHAPAR_LINK_PREVIEW_PORTS",
        "PORTS",
        "Ports at which it may look, separated by commas [default: 80,443]",
    ),
];
