-- +goose Up

-- A visit that spent a use is pending until it is known whether a session was made. Of those whose server is gone the index
-- finds the few.
ALTER TABLE visits ADD COLUMN pending BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX visits_abandoned ON visits (id) WHERE pending AND outcome = 'OPENED';

-- +goose Down

DROP INDEX visits_abandoned;
ALTER TABLE visits DROP COLUMN pending;
