import { getLogger } from "@logtape/logtape";

/**
 * Is what the framework asks of a logger. Messages are templates in which `{name}` stands
 * for a property; configure `@logtape/logtape` to see them.
 */
export interface Logger {
  /** Logs what helps to find a fault. */
  debug(message: string, properties?: Record<string, unknown>): void;
  /** Logs an ordinary event. */
  info(message: string, properties?: Record<string, unknown>): void;
  /** Logs what should be looked at. */
  warn(message: string, properties?: Record<string, unknown>): void;
  /** Logs a failure. */
  error(message: string, properties?: Record<string, unknown>): void;
  /** Tells whether somebody gets messages of this level. */
  isEnabledFor(level: "debug" | "info" | "warning" | "error"): boolean;
}

/** Gets one line per request (category `waterspout`, `access`). */
export const accessLog: Logger = getLogger(["waterspout", "access"]);

/** Gets the uncaught errors of user code (category `waterspout`, `application`). */
export const appLog: Logger = getLogger(["waterspout", "application"]);

/** Gets everything else the framework has to say (category `waterspout`, `general`). */
export const genLog: Logger = getLogger(["waterspout", "general"]);
