/**
 * The base: what must outlive an engine. It owns guest memory, endpoints, clocks and vCPU threads, finds engine JARs
 * and loads each in a module layer of its own. Nothing here looks at what a guest wrote: what cannot be upgraded
 * must not be attackable.
 */
package dev.multivisor.host;
