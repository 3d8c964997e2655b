/** Watches the code, the interrupt table and the system calls' table of a running Linux kernel. */
package dev.multivisor.watch;
