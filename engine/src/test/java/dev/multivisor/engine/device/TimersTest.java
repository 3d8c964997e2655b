package dev.multivisor.engine.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TimersTest {
    private int earlier;
    private final List<String> fired = new ArrayList<>();

    @Test
    void firesWhatIsDueAndTellsOfEarlierDeadlines() {
        Timers timers = new Timers(() -> earlier++);
        Timers.Timer a = timers.add(now -> fired.add("a" + now));
        Timers.Timer b = timers.add(now -> fired.add("b" + now));
        assertEquals(Timers.NEVER, timers.next());
        a.arm(100);
        b.arm(200);
        assertEquals(1, earlier);
        b.arm(50);
        assertEquals(2, earlier);
        assertEquals(50, timers.next());
        timers.run(49);
        assertEquals(List.of(), fired);
        timers.run(60);
        assertEquals(List.of("b60"), fired);
        assertEquals(100, timers.next());
        a.cancel();
        assertEquals(Timers.NEVER, timers.next());
        timers.run(1000);
        assertEquals(List.of("b60"), fired);
    }

    @Test
    void aCallbackMayArmAgain() {
        Timers timers = new Timers(() -> {});
        Timers.Timer[] timer = new Timers.Timer[1];
        timer[0] = timers.add(now -> {
            fired.add("x" + now);
            timer[0].arm(now + 10);
        });
        timer[0].arm(10);
        timers.run(10);
        timers.run(20);
        assertEquals(List.of("x10", "x20"), fired);
        assertEquals(30, timers.next());
    }
}
