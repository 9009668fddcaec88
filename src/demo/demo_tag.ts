// How the registration of the demo upstream is told from others.

/** Marks the registration, so that the next start finds it and leaves an upstream of the same name alone. */
export const DEMO_TAG = "built-in-demo";
