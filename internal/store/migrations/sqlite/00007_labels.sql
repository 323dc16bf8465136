-- +goose Up

-- What tells links from others. The index has all that a search for a label asks, newest first, and no link without a label.
ALTER TABLE share_links ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE share_links ADD COLUMN label_folded TEXT NOT NULL DEFAULT '';
CREATE INDEX share_links_labelled ON share_links (organization_id, id, label_folded, persona_id, persona_name_folded) WHERE label_folded <> '';

-- +goose Down

DROP INDEX share_links_labelled;
ALTER TABLE share_links DROP COLUMN label_folded;
ALTER TABLE share_links DROP COLUMN label;
