-- +goose Up

-- What became of every try to open a link. Ids are UUIDv7 of the instant, so the primary key is also what finds the old
-- ones, and the one index more both a link's newest and the visit to settle. A visit outlives its link: no foreign key.
CREATE TABLE visits (
    id              UUID NOT NULL PRIMARY KEY,
    link_id         UUID NOT NULL,
    organization_id UUID NOT NULL,
    at              BIGINT NOT NULL,
    outcome         TEXT NOT NULL,
    origin          TEXT NOT NULL,
    client          TEXT NOT NULL,
    address         TEXT NOT NULL
);
CREATE INDEX visits_of_link ON visits (link_id, id);

-- The key that this service signs sessions with. There is one row, made by whichever server starts first.
CREATE TABLE signing_key (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seed       BYTEA NOT NULL CHECK (length(seed) = 32),
    created_at BIGINT NOT NULL
);

-- +goose Down

DROP TABLE signing_key;
DROP TABLE visits;
