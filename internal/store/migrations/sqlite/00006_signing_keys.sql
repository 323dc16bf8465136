-- +goose Up

-- The keys that this service signs sessions with. A new one is shown before it signs, and an old one while its sessions live.
-- The number is unique, so that of two servers at a first start, and of two that add a key at once, one does.
CREATE TABLE signing_keys (
    number     INTEGER NOT NULL PRIMARY KEY,
    seed       BLOB NOT NULL CHECK (length(seed) = 32),
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL
);
INSERT INTO signing_keys (number, seed, created_at, signs_from) SELECT id, seed, created_at, created_at FROM signing_key;
DROP TABLE signing_key;

-- +goose Down

CREATE TABLE signing_key (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seed       BLOB NOT NULL CHECK (length(seed) = 32),
    created_at INTEGER NOT NULL
);
INSERT INTO signing_key (id, seed, created_at) SELECT 1, seed, created_at FROM signing_keys ORDER BY number DESC LIMIT 1;
DROP TABLE signing_keys;
