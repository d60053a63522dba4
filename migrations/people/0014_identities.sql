-- By what people sign in: rows, so that a phone number, an account elsewhere or a passkey is another row, and no other column.

CREATE TABLE identities (
    kind       text NOT NULL,                 -- password; later: phone, oidc, passkey
    subject    text NOT NULL,                 -- what the person shows: their handle
    user_id    bigint NOT NULL,
    secret     text,                          -- of a password: argon2id in PHC form
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, subject)
);
CREATE INDEX identities_by_user ON identities (user_id);

INSERT INTO identities (kind, subject, user_id, secret, created_at)
SELECT 'password', handle, id, password_hash, created_at FROM users WHERE password_hash IS NOT NULL;
ALTER TABLE users DROP COLUMN password_hash;
