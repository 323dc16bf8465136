// A program that a stranger could write with the types that openapi-typescript generates.
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./schema.js";

declare const process: { env: Record<string, string | undefined> }; // in place of @types/node

type ShareLink = components["schemas"]["ShareLink"];
type CreateShareLinkRequest = operations["createShareLink"]["requestBody"]["content"]["application/json"];

const personaId = "00000000-0000-0000-0000-000000000000";
const client = createClient<paths>({
  baseUrl: process.env.ANAM_API_URL,
  headers: { Authorization: `Bearer ${process.env.ANAM_API_KEY}` },
});

async function create(body: CreateShareLinkRequest): Promise<ShareLink> {
  const { data, error } = await client.POST("/v1/share-links", { body });
  if (error) throw new Error(error.detail);
  return data;
}

// The first create of the README.
let link = await create({ personaId, expiresInHours: 168, usageLimit: 10 });
check(link.usageLimit === 10, "create", link);

// null is not the same as a field that is left out.
link = await create({ personaId, type: "ORB_EMBED", expiresInHours: null, usageLimit: null });
check(link.type === "ORB_EMBED" && link.expiresAt === null && link.usageLimit === null, "create without limits", link);

link = await create({ personaId });
check(link.type === "LINK" && link.usageLimit === 10 && lifetime(link) === 168 * 3600, "create with defaults", link);
check(link.enabled && !link.isPrimary && !link.allowAllOrigins && !link.removeWatermark && link.allowedOrigins.length === 0,
  "create with defaults", link);

for (const hours of [87599.9, 0.5]) {
  link = await create({ personaId, expiresInHours: hours });
  check(lifetime(link) === hours * 3600, `create for ${hours}`, link);
}

const params = { path: { id: link.id } };
const visitor = { params: { path: { token: link.token } } };

const got = await client.GET("/v1/share-links/{id}", { params });
check(got.data?.token === link.token && got.data.personaName === "Cara", "get", got.error);

const page = await client.GET("/v1/share-links", { params: { query: { perPage: 3 } } });
check(page.data?.data.length === 3 && page.data.meta.total === 5, "list", page.data ?? page.error);
check(page.data?.meta.prev === null && page.data.meta.next === 2, "list", page.data?.meta);

const personas = await client.GET("/v1/personas", { params: { query: { search: "cara" } } });
check(personas.data?.meta.total === 1 && personas.data.data[0].id === personaId, "personas", personas.data ?? personas.error);

const preview = await client.GET("/v1/share/{token}", visitor);
check(preview.data?.status === "ACTIVE", "preview", preview.data ?? preview.error);

const session = await client.POST("/v1/share/{token}/sessions", visitor);
check(session.data?.sessionToken !== "" && session.data?.personaId === personaId, "open", session.error);

const updated = await client.PUT("/v1/share-links/{id}", { params, body: { enabled: false, usageLimit: null } });
check(updated.data?.enabled === false && updated.data.usageLimit === null, "update", updated.data ?? updated.error);
check(updated.data?.usageCount === 1 && updated.data.expiresAt === link.expiresAt, "update changes nothing else", updated.data);

const gone = await client.POST("/v1/share/{token}/sessions", visitor);
check(gone.response.status === 410 && gone.error?.status === 410, "open a disabled link", gone.data ?? gone.error);

const visits = await client.GET("/v1/share-links/{id}/visits", { params });
check(visits.data?.data.map((visit) => visit.outcome).join() === "DISABLED,OPENED", "visits", visits.data ?? visits.error);
check(visits.data?.data[0].origin === null, "visits", visits.data);

const deleted = await client.DELETE("/v1/share-links/{id}", { params });
check(deleted.data?.message !== undefined, "delete", deleted.error);
const absent = await client.GET("/v1/share-links/{id}", { params });
check(absent.error?.status === 404, "get a deleted link", absent.data ?? absent.error);

// A refused request lists everything that is wrong with it.
const refused = await client.POST("/v1/share-links", { body: { personaId, expiresInHours: -1, usageLimit: 0 } });
const violations = refused.error?.errors?.map((violation) => `${violation.in} ${violation.pointer}`).sort();
check(refused.error?.status === 400 && violations?.join() === "body /expiresInHours,body /usageLimit",
  "create with faults", refused.error);

// Anam's API sends no url and no headers of ours, and errors of another kind.
const hosted = createClient<paths>({
  baseUrl: process.env.HOSTED_URL,
  headers: { Authorization: `Bearer ${process.env.ANAM_API_KEY}` },
});
const hostedLink = (await hosted.POST("/v1/share-links", { body: { personaId } })).data;
check(hostedLink?.token === "V1StGXR8_Z5jdHi6B-myT" && hostedLink.url === undefined, "create at Anam", hostedLink);
const hostedPage = await hosted.GET("/v1/share-links");
check(hostedPage.data?.data[0].organizationId === "Uakgb_J5m9g-0JDMbcJqL", "list at Anam", hostedPage);
const hostedPersonas = await hosted.GET("/v1/personas");
check(hostedPersonas.data?.data[0].name === "Cara", "personas at Anam", hostedPersonas);
const there = { params: { path: { id: hostedLink.id } } };
const hostedGot = await hosted.GET("/v1/share-links/{id}", there);
check(hostedGot.data?.personaName === "Cara", "get at Anam", hostedGot);
const hostedUpdated = await hosted.PUT("/v1/share-links/{id}", { ...there, body: { usageLimit: null } });
check(hostedUpdated.data?.usageLimit === null, "update at Anam", hostedUpdated);
const hostedDeleted = await hosted.DELETE("/v1/share-links/{id}", there);
check(hostedDeleted.data?.message !== undefined, "delete at Anam", hostedDeleted);
const hostedAbsent = await hosted.GET("/v1/share-links/{id}", { params: { path: { id: personaId } } });
check(hostedAbsent.response.status === 404 && hostedAbsent.error?.message === "Share link not found", "get nothing at Anam", hostedAbsent);

console.log("all is well");

/** The seconds from the creation of a link to its end. */
function lifetime(link: ShareLink): number {
  return link.expiresAt === null ? Infinity : (Date.parse(link.expiresAt) - Date.parse(link.createdAt)) / 1000;
}

/** Ends the program unless what should be so is so. */
function check(ok: boolean | undefined, ...about: unknown[]): asserts ok {
  if (!ok) throw new Error(about.map((value) => JSON.stringify(value)).join(" "));
}
