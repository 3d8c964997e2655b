/** Multivisor: host. */
package dev.multivisor.host;
