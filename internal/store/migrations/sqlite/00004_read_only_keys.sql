-- +goose Up

ALTER TABLE api_keys ADD COLUMN read_only BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down

ALTER TABLE api_keys DROP COLUMN read_only;
