/**
 * What an engine and the base agree on, shaped like KVM's system calls: the base creates a machine,
 * lends it memory, endpoints and a clock, and calls {@link dev.multivisor.api.VirtualCpu#run} from
 * threads of its own. Everything else stays on one side or the other.
 */
package dev.multivisor.api;
