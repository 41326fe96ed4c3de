export { type AccessClaims, accessTokenExpectation, accessTokenLifeMs, signAccessToken } from "./access-token.ts";
export type { Authenticated } from "./authenticator.ts";
export { BoundedCache } from "./bounded-cache.ts";
export { type Credential, createApiKey, credentialFromHeaders, looksLikeApiKey, parseApiKey } from "./credential.ts";
export type { Decision } from "./decision.ts";
export {
  generateSigningKey,
  importPrivateJwk,
  importPublicJwk,
  type PrivateJwk,
  type PublicJwk,
  rawPublicKey,
} from "./ed25519.ts";
export { fromBase64url, toBase64url, uint64Bytes } from "./encoding.ts";
export type { IdentityDocument, TrustDocument, TrustedKeyDocument } from "./identity-document.ts";
export { type Claims, clockSkewMs, signJwt, type TokenExpectation, verifyJwt } from "./jwt.ts";
export { type KeyedDifference, KeyedState, keyedDigest } from "./keyed-state.ts";
export {
  addNodeKey,
  createMeshIdentity,
  createNodeIdentity,
  generateMeshIdentity,
  meshRoles,
  nodeIdentityFile,
  nodeRole,
  nodesOf,
  readTrust,
  revokeNodeIdentity,
  revokeNodeKeys,
} from "./mesh-identity.ts";
export {
  defaultProject,
  enclosingResources,
  everything,
  formatResource,
  isModelName,
  isPrincipalName,
  isProjectName,
  parseModelName,
  parseResource,
  type ResourceName,
} from "./names.ts";
export type { Policy } from "./policy.ts";
export { freshMs, levelName, policyEntryKey } from "./policy-entry.ts";
export { PolicyStore } from "./policy-store.ts";
export {
  type PolicyHead,
  policyEntryBytes,
  policyHead,
  policySigningBytes,
  signPolicyUpdate,
} from "./policy-update.ts";
export { entryChunks, joinPolicyEntries, policyHeadBytes } from "./policy-wire.ts";
export { anonymous, type Principal, principalKind, servicePrincipal } from "./principal.ts";
export { openReadGrant, type ReadGrantFacts, signReadGrant } from "./read-grant.ts";
export {
  keyRevoked,
  refusedTokenHeader,
  ServiceIdentity,
  type ServiceSender,
  serviceTokenRefused,
} from "./service-identity.ts";
export { compareUtf8 } from "./sorted-lines.ts";
export {
  isVerb,
  type LevelName,
  levelNames,
  levelVerbs,
  type RoleName,
  roleNames,
  roleVerbs,
  serviceVerbs,
  type Verb,
  verbs,
} from "./verbs.ts";
