INSERT INTO organizations (id, name, watermark_removal, created_at)
VALUES ('22222222-2222-2222-2222-222222222222', 'default', TRUE, 1776679200000);
INSERT INTO personas (organization_id, id, name, created_at)
VALUES ('22222222-2222-2222-2222-222222222222', '00000000-0000-0000-0000-000000000000', 'Cara', 1776679200000);
INSERT INTO api_keys (prefix, hash, label, organization_id, created_at, revoked_at)
VALUES ('ak_2kL9pQxY', CAST('hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh' AS BYTES), 'first start', '22222222-2222-2222-2222-222222222222', 1776679200000, NULL);
INSERT INTO share_links (id, token, organization_id, persona_id, persona_name, persona_name_folded, type, expires_at, usage_limit, usage_count, allowed_origins, allow_all_origins, remove_watermark, enabled, is_primary, created_at)
VALUES ('019daa55-2500-73e6-bede-75f926d0d51e', 'sh_2kL9pQxYzR4vN8mBwHfJc', '22222222-2222-2222-2222-222222222222', '00000000-0000-0000-0000-000000000000', 'Cara', 'cara', 'PLAYER_EMBED', 1777284000000, 10, 3, '["https://www.example.com"]', FALSE, TRUE, TRUE, TRUE, 1776679200000);
INSERT INTO idempotency_keys (organization_id, key, request, link, created_at)
VALUES ('22222222-2222-2222-2222-222222222222', 'key', CAST('rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr' AS BYTES), '{"id":"019daa55-2500-73e6-bede-75f926d0d51e","token":"sh_2kL9pQxYzR4vN8mBwHfJc","type":"PLAYER_EMBED","expires_at":"2026-04-27T10:00:00Z","usage_limit":10,"usage_count":0,"allowed_origins":["https://www.example.com"],"allow_all_origins":false,"remove_watermark":true,"enabled":false,"is_primary":true,"created_at":"2026-04-20T10:00:00Z","persona_id":"00000000-0000-0000-0000-000000000000","persona_name":"Cara","organization_id":"22222222-2222-2222-2222-222222222222"}', 1776679200000);
UPDATE first_start SET locked = TRUE
