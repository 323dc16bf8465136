INSERT INTO api_keys (prefix, hash, label, organization_id, created_at, revoked_at, read_only)
VALUES ('ak_readonly', CAST('oooooooooooooooooooooooooooooooo' AS BYTES), '', '22222222-2222-2222-2222-222222222222', 1776679200000, NULL, TRUE)
