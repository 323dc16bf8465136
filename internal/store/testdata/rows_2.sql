INSERT INTO visits (id, link_id, organization_id, at, outcome, origin, client, address)
VALUES ('019daa55-2501-73e6-bede-75f926d0d51e', '019daa55-2500-73e6-bede-75f926d0d51e', '22222222-2222-2222-2222-222222222222', 1776679200001, 'OPENED', 'https://www.example.com', 'Firefox', '192.0.2.0/24');
INSERT INTO signing_key (id, seed, created_at)
VALUES (1, CAST('ssssssssssssssssssssssssssssssss' AS BYTES), 1776679200000)
