-- +goose Up

CREATE TABLE organizations (
    id                TEXT    NOT NULL PRIMARY KEY,
    name              TEXT    NOT NULL UNIQUE,
    watermark_removal BOOLEAN NOT NULL,
    created_at        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE personas (
    organization_id TEXT    NOT NULL REFERENCES organizations (id),
    id              TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (organization_id, id)
) WITHOUT ROWID;

CREATE TABLE api_keys (
    prefix          TEXT    NOT NULL PRIMARY KEY,
    hash            BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    label           TEXT    NOT NULL,
    organization_id TEXT    NOT NULL REFERENCES organizations (id),
    created_at      INTEGER NOT NULL,
    revoked_at      INTEGER
);

-- seq is the key that rows are clustered by: rows are appended, wherever their ids and tokens sort.
-- A link outlives its persona, which may not even be known here: no foreign key.
CREATE TABLE share_links (
    seq                 INTEGER PRIMARY KEY,
    id                  TEXT    NOT NULL,
    token               TEXT    NOT NULL UNIQUE,
    organization_id     TEXT    NOT NULL REFERENCES organizations (id),
    persona_id          TEXT    NOT NULL,
    persona_name        TEXT    NOT NULL,
    persona_name_folded TEXT    NOT NULL,
    type                TEXT    NOT NULL,
    expires_at          INTEGER,
    usage_limit         INTEGER CHECK (usage_limit BETWEEN 1 AND 2147483647),
    usage_count         INTEGER NOT NULL CHECK (usage_count >= 0),
    allowed_origins     TEXT    NOT NULL,
    allow_all_origins   BOOLEAN NOT NULL,
    remove_watermark    BOOLEAN NOT NULL,
    enabled             BOOLEAN NOT NULL,
    is_primary          BOOLEAN NOT NULL,
    created_at          INTEGER NOT NULL,
    UNIQUE (organization_id, id)
);
CREATE INDEX share_links_of_persona ON share_links (organization_id, persona_id, id);
CREATE UNIQUE INDEX share_links_primary ON share_links (organization_id, persona_id) WHERE is_primary;

CREATE TABLE idempotency_keys (
    organization_id TEXT    NOT NULL REFERENCES organizations (id),
    key             TEXT    NOT NULL,
    request         BLOB    NOT NULL CHECK (length(request) = 32),
    link            TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (organization_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- The row that a first start locks: PostgreSQL has no other to lock in a store that is empty.
CREATE TABLE first_start (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    locked BOOLEAN NOT NULL
);
INSERT INTO first_start (id, locked) VALUES (1, FALSE);

-- +goose Down

DROP TABLE first_start;
DROP TABLE idempotency_keys;
DROP TABLE share_links;
DROP TABLE api_keys;
DROP TABLE personas;
DROP TABLE organizations;
