/**
 * The web framework: an {@linkcode Application} maps paths to {@linkcode RequestHandler}
 * classes. Stands on `http/` and what is below it.
 *
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Greeting extends RequestHandler {
 *   override get(name: string): void {
 *     this.write({ greeting: `Hello, ${name}` });
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/(.+)", Greeting]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/Ada`));
 *   assertEquals(yield* Future.from(response.json()), { greeting: "Hello, Ada" });
 *   server.stop();
 *   yield* server.closeAllConnections();
 * });
 * ```
 *
 * @module
 */
export { escape, GzipDecompressor } from "../http/mod.ts";
export {
  Application,
  type ApplicationListenOptions,
  type ApplicationSettings,
  type HandlerDelegateOptions,
} from "./application.ts";
export type { FinishedHandler, HandlerApplication } from "./handler_application.ts";
export {
  type ArgumentOptions,
  type HandlerClass,
  type HandlerStaticUrlOptions,
  type HeaderValue,
  type JSONRecord,
  type PathArgument,
  type RedirectOptions,
  RequestHandler,
  REQUIRED,
  type SendErrorOptions,
  type SetSignedCookieOptions,
  type SignedCookieOptions,
  type Writable,
} from "./request_handler.ts";
export type { CookieOptions } from "./_set_cookie.ts";
export {
  type CookieSecret,
  createSignedValue,
  decodeSignedValue,
  DEFAULT_SIGNED_VALUE_MIN_VERSION,
  DEFAULT_SIGNED_VALUE_VERSION,
  getSignatureKeyVersion,
  MAX_SUPPORTED_SIGNED_VALUE_VERSION,
  MIN_SUPPORTED_SIGNED_VALUE_VERSION,
  type SignOptions,
  type VerifyOptions,
} from "./signed_value.ts";
export type { RequestObservation, RequestObserver } from "./request_observer.ts";
export { isAbsolute } from "./is_absolute.ts";
export { addSlash, authenticated, type MethodContext, removeSlash } from "./decorators.ts";
export {
  type RequestTaker,
  ReversibleRouter,
  ReversibleRuleRouter,
  type Route,
  Router,
  Rule,
  RuleRouter,
  type RuleTarget,
  type TargetParams,
  url,
  URLSpec,
} from "./routing.ts";
export type { NameAt, PathNames, PathParams } from "./path_params.ts";
export {
  AnyMatches,
  DefaultHostMatches,
  HostMatches,
  Matcher,
  type MatchResult,
  PathMatches,
} from "./matcher.ts";
export {
  type EventOptions,
  EventStream,
  type EventStreamHandler,
  type EventStreamOptions,
} from "./event_stream.ts";
export {
  type FirstChunk,
  GZipContentEncoding,
  OutputTransform,
  type OutputTransformClass,
} from "./transforms.ts";
export {
  Finish,
  HTTPError,
  type HTTPErrorOptions,
  InvalidArgumentError,
  MissingArgumentError,
} from "./errors.ts";
export type {
  ArgumentOf,
  ArgumentType,
  OptionalTypedArgument,
  TypedArgument,
} from "./_typed_argument.ts";
export { asynchronous, type HandlerMethod } from "./asynchronous.ts";
export { streamRequestBody } from "./stream_request_body.ts";
export {
  FormUpload,
  type FormUploadOptions,
  type UploadedFile,
  type UploadedForm,
  type UploadHandler,
} from "./form_upload.ts";
export { FallbackHandler, type FallbackHandlerOptions } from "./fallback_handler.ts";
export {
  FetchContainer,
  type FetchContainerOptions,
  type FetchFunction,
  toRequest,
} from "./fetch_container.ts";
export {
  type FetchableApp,
  type FetchHandler,
  type FetchHandlerOptions,
  type FetchInfo,
  toFetchHandler,
} from "./fetch_handler.ts";
export { ErrorHandler } from "./error_handler.ts";
export { RedirectHandler, type RedirectHandlerOptions } from "./redirect_handler.ts";
export {
  StaticFileHandler,
  type StaticFileHandlerOptions,
  type StaticGetOptions,
  type StaticUrlOptions,
} from "./static_file_handler.ts";
export {
  BaseLoader,
  DictLoader,
  filterWhitespace,
  Loader,
  type LoaderOptions,
  ParseError,
  Template,
  type TemplateLoader,
  type TemplateOptions,
  type WhitespaceMode,
} from "./template/mod.ts";
export { type ModuleResources, TemplateModule, UIModule } from "./ui_module.ts";
export type { ModuleFiles, PageModule, PageModuleClass, UIMethod } from "./page_module.ts";
export {
  CSVLocale,
  type CSVTranslations,
  type FormatDateOptions,
  type FormatDayOptions,
  formatMessage,
  getLocale,
  getSupportedLocales,
  type GettextCatalog,
  GettextLocale,
  loadGettextTranslations,
  loadTranslations,
  Locale,
  LOCALE_NAMES,
  type LocaleName,
  setDefaultLocale,
} from "./locale.ts";
export * as locale from "./locale.ts";
export {
  AuthError,
  type AuthErrorOptions,
  type AuthHandler,
  type AuthHandlerClass,
  type AuthUser,
  type FacebookGraphHandler,
  type FacebookGraphHandlerClass,
  FacebookGraphMixin,
  type FacebookUserOptions,
  type GoogleOAuth2Handler,
  type GoogleOAuth2HandlerClass,
  GoogleOAuth2Mixin,
  type GoogleOAuthSettings,
  type GoogleUserOptions,
  type OAuth2Handler,
  type OAuth2HandlerClass,
  type OAuth2Login,
  OAuth2Mixin,
  type OAuth2RedirectOptions,
  type OAuth2RequestOptions,
  type OAuth2TokenUrlOptions,
  type OAuthHandler,
  type OAuthHandlerClass,
  OAuthMixin,
  type OAuthRedirectOptions,
  type OAuthToken,
  type OAuthVersion,
  type OpenIdAttribute,
  type OpenIDConnectClaims,
  type OpenIDConnectHandler,
  type OpenIDConnectHandlerClass,
  OpenIDConnectMixin,
  type OpenIDConnectRedirectOptions,
  type OpenIDConnectSettings,
  type OpenIDConnectTokens,
  type OpenIDConnectUser,
  type OpenIDConnectUserOptions,
  type OpenIdHandler,
  type OpenIdHandlerClass,
  OpenIdMixin,
  type OpenIdRedirectOptions,
  type RequestArgument,
  type StaticFields,
  type TwitterHandler,
  type TwitterHandlerClass,
  TwitterMixin,
  type TwitterRequestOptions,
} from "./auth/mod.ts";
