INSERT INTO signing_keys (number, seed, created_at, signs_from)
VALUES (2, CAST('nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn' AS BYTES), 1776679200000, 1776682800000)
