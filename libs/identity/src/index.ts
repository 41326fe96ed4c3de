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
export { type Claims, clockSkewMs, signJwt, type TokenExpectation, verifyJwt } from "./jwt.ts";
export { type KeyedDifference, KeyedState, keyedDigest } from "./keyed-state.ts";
export { createMeshIdentity, generateMeshIdentity, meshRoles } from "./mesh-identity.ts";
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
export { anonymous, type Principal, principalKind, servicePrincipal } from "./principal.ts";
export {
  type IdentityDocument,
  refusedTokenHeader,
  ServiceIdentity,
  serviceTokenRefused,
  type TrustDocument,
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
