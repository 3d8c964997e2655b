package dev.multivisor.api;

import java.util.List;

/**
 * What the base lends to a machine and keeps through a handover.
 *
 * @param memory the guest's memory
 * @param clock the guest's time
 * @param serial the far end of the serial port
 * @param debug the far end of the debug console (port 0xe9)
 * @param disks block devices, in the order in which the guest finds them
 * @param networks network ports, in the order in which the guest finds them
 */
public record Resources(
        GuestMemory memory, Clock clock, Console serial, Console debug, List<Disk> disks, List<NetworkPort> networks) {
    public Resources {
        disks = List.copyOf(disks);
        networks = List.copyOf(networks);
    }
}
