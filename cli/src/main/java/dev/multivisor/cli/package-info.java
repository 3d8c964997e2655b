/** Multivisor: cli. */
package dev.multivisor.cli;
