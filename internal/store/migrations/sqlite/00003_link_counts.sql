-- +goose Up

-- How many links there are, so that nobody has to count them. counts.go says what a scope and a block are.
CREATE TABLE link_counts (
    organization_id TEXT    NOT NULL REFERENCES organizations (id),
    scope           TEXT    NOT NULL,
    first_id        TEXT    NOT NULL,
    links           INTEGER NOT NULL CHECK (links >= 0),
    PRIMARY KEY (organization_id, scope, first_id)
) WITHOUT ROWID;
CREATE INDEX link_counts_large ON link_counts (organization_id) WHERE links >= 10000;

INSERT INTO link_counts (organization_id, scope, first_id, links)
SELECT organization_id, '', '00000000-0000-0000-0000-000000000000', COUNT(*) FROM share_links GROUP BY organization_id;

INSERT INTO link_counts (organization_id, scope, first_id, links)
SELECT organization_id, persona_id || ' ' || persona_name_folded, '00000000-0000-0000-0000-000000000000', COUNT(*)
FROM share_links GROUP BY organization_id, persona_id, persona_name_folded;

DROP INDEX share_links_of_persona;
CREATE INDEX share_links_of_persona ON share_links (organization_id, persona_id, persona_name_folded, id);

-- +goose Down

DROP INDEX share_links_of_persona;
CREATE INDEX share_links_of_persona ON share_links (organization_id, persona_id, id);
DROP TABLE link_counts;
