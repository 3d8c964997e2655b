/** Machines as files: a folder for each snapshot, which appears when it is complete. */
package dev.multivisor.snapshots;
