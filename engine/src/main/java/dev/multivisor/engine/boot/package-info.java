/** Loads kernels into the memory of a new machine. */
package dev.multivisor.engine.boot;
