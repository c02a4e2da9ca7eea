/**
 * Mixins that sign in users with the help of somebody else: each takes a handler class and
 * returns one that can do more. See {@linkcode OpenIDConnectMixin} for the one to begin with.
 *
 * @module
 */
export { AuthError, type AuthErrorOptions } from "./auth_error.ts";
export type { AuthHandler, AuthHandlerClass, StaticFields } from "./_auth_base.ts";
export type { OAuthToken, OAuthVersion } from "./_oauth_signature.ts";
export {
  type AuthUser,
  type OAuthHandler,
  type OAuthHandlerClass,
  OAuthMixin,
  type OAuthRedirectOptions,
} from "./oauth_mixin.ts";
export {
  type OAuth2Handler,
  type OAuth2HandlerClass,
  type OAuth2Login,
  OAuth2Mixin,
  type OAuth2RedirectOptions,
  type OAuth2RequestOptions,
  type OAuth2TokenUrlOptions,
  type RequestArgument,
} from "./oauth2_mixin.ts";
export {
  type GoogleOAuth2Handler,
  type GoogleOAuth2HandlerClass,
  GoogleOAuth2Mixin,
  type GoogleOAuthSettings,
  type GoogleUserOptions,
} from "./google_oauth2_mixin.ts";
export {
  type FacebookGraphHandler,
  type FacebookGraphHandlerClass,
  FacebookGraphMixin,
  type FacebookUserOptions,
} from "./facebook_graph_mixin.ts";
export {
  type TwitterHandler,
  type TwitterHandlerClass,
  TwitterMixin,
  type TwitterRequestOptions,
} from "./twitter_mixin.ts";
export {
  type OpenIdAttribute,
  type OpenIdHandler,
  type OpenIdHandlerClass,
  OpenIdMixin,
  type OpenIdRedirectOptions,
} from "./open_id_mixin.ts";
export {
  type OpenIDConnectClaims,
  type OpenIDConnectHandler,
  type OpenIDConnectHandlerClass,
  OpenIDConnectMixin,
  type OpenIDConnectRedirectOptions,
  type OpenIDConnectSettings,
  type OpenIDConnectTokens,
  type OpenIDConnectUser,
  type OpenIDConnectUserOptions,
} from "./open_id_connect_mixin.ts";
