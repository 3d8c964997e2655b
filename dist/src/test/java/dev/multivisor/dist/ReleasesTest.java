package dev.multivisor.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.multivisor.dist.Program.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code engines/build}: what it does with good and bad lists, repositories and builds. Maven is a stand-in here. */
class ReleasesTest {
    private static final String ABSENT = "0123456789012345678901234567890123456789";

    /** Makes what the real build makes, and counts its calls. */
    private static final String MAVEN = """
            #!/bin/sh
            echo call >>"%s"
            for argument; do
                case $argument in -Drevision=*) version=${argument#-Drevision=} ;; esac
            done
            sleep 0.3
            mkdir -p engine/target api/target
            echo "[ERROR] for the test"
            [ -f source ] || exit 1
            cp source engine/target/multivisor-engine-$version.jar
            echo contract >api/target/multivisor-api-1.jar
            """;

    @TempDir
    Path folder;

    private Path repository;
    private Path calls;

    @BeforeEach
    void setUp() throws Exception {
        repository = Files.createDirectory(folder.resolve("repository"));
        Files.createDirectory(repository.resolve("engines"));
        Files.copy(Modules.ROOT.resolve("engines/build"), repository.resolve("engines/build"));
        Files.setPosixFilePermissions(
                repository.resolve("engines/build"), PosixFilePermissions.fromString("rwxr-xr-x"));
        calls = folder.resolve("calls");
        executable(Files.createDirectory(folder.resolve("bin")).resolve("mvn"), MAVEN.formatted(calls));
        releases("");
    }

    @Test
    void everyReleaseIsInTheHistory() throws Exception {
        assumeTrue(Files.exists(Modules.ROOT.resolve(".git")), "SKIPPED: the sources have no history");
        String shallow = run(List.of("git", "-C", Modules.ROOT.toString(), "rev-parse", "--is-shallow-repository"))
                .out();
        assumeTrue(shallow.startsWith("false"), "SKIPPED: the sources have a part of their history only");
        for (String line : Files.readAllLines(Modules.ROOT.resolve("engines/releases.txt"))) {
            if (!line.isBlank() && !line.startsWith("#")) {
                String commit = line.split(" ")[1];
                Result result = run(
                        List.of("git", "-C", Modules.ROOT.toString(), "merge-base", "--is-ancestor", commit, "HEAD"));
                assertEquals(0, result.status(), line + ": is not part of this branch; " + result.err());
            }
        }
    }

    @Test
    void aReleaseIsBuiltOnceFromItsCommit() throws Exception {
        String first = commit("one");
        String second = commit("two");
        releases("# comment\n\n0.1.0 " + first + "\n0.2.0 " + second + "\n");
        assertEquals(
                "one",
                Files.readString(Path.of(build("0.1.0").assertGood().out().strip())));
        Path out = folder.resolve("deep/out.jar");
        build("0.2.0", out.toString()).assertGood();
        assertEquals("two", Files.readString(out));
        assertEquals(2, calls());
        assertEquals("", build("0.2.0", out.toString()).assertGood().err());
        Path all = folder.resolve("all");
        build("--all", all.toString()).assertGood();
        assertEquals(List.of("multivisor-engine-0.1.0.jar", "multivisor-engine-0.2.0.jar"), names(all));
        build("--contract", out.toString()).assertGood();
        assertEquals("contract\n", Files.readString(out));
        assertEquals(2, calls());
    }

    @Test
    void buildsAtTheSameTimeBuildOnce() throws Exception {
        releases("0.1.0 " + commit("one"));
        List<Callable<Result>> builds = new ArrayList<>();
        for (int n = 0; n < 4; n++) {
            Path own = Files.createDirectory(folder.resolve("caller" + n));
            Program program = new Program(own);
            builds.add(() -> program.run("", command(List.of("0.1.0"))));
        }
        try (ExecutorService threads = Executors.newFixedThreadPool(builds.size())) {
            for (Future<Result> result : threads.invokeAll(builds)) {
                assertEquals(
                        "one",
                        Files.readString(Path.of(result.get().assertGood().out().strip())));
            }
        }
        assertEquals(1, calls());
    }

    @Test
    void aBuildThatFailsLeavesNothing() throws Exception {
        String commit = commit("one");
        Files.delete(repository.resolve("source"));
        String broken = commit();
        releases("0.1.0 " + broken);
        Result result = build("0.1.0");
        assertEquals(2, result.status());
        assertTrue(result.err().contains("the build of commit " + broken + " failed"), result.err());
        assertEquals(List.of("0.1.0.log", "lock"), names(cache()));
        releases("0.1.0 " + commit);
        build("0.1.0").assertGood();
    }

    @Test
    void aBadListIsNamedWithItsLine() throws Exception {
        String commit = commit("one");
        for (String[] bad : new String[][] {
            {"0.1.0", "line 2: is not VERSION COMMIT: 0.1.0"},
            {"0.1.0 " + commit + " more", "line 2: is not VERSION COMMIT"},
            {"one " + commit, "line 2: is no version: one"},
            {"0.1.0 master", "line 2: is no commit (40 hexadecimal digits): master"},
            {"0.1.0 " + commit + "\n0.1.0 " + commit, "line 3: there is an earlier one for 0.1.0"},
            {"0.1.0 " + commit, "0.2.0 is no released engine; engines/releases.txt names 0.1.0"},
            {"", "0.2.0 is no released engine; engines/releases.txt names none"},
        }) {
            releases("# first\n" + bad[0] + "\n");
            build("0.2.0").assertBad(bad[1]);
        }
        Files.delete(repository.resolve("engines/releases.txt"));
        build("0.2.0").assertBad("releases.txt: cannot be read");
    }

    @Test
    void whatIsMissingIsNamedWithItsRemedy() throws Exception {
        String commit = commit("one");
        releases("0.1.0 " + commit);
        commit("two");
        Path origin = repository;

        repository = folder.resolve("shallow");
        git("clone", "-q", "--depth", "1", "file://" + origin, repository.toString());
        build("0.1.0").assertBad("built from commit " + commit, "shallow clone", "git fetch --unshallow");
        Path all = folder.resolve("all");
        build("--all", all.toString()).assertBad("git fetch --unshallow");
        build("--releases=optional", "--all", all.toString()).assertGood();
        assertTrue(Files.readString(all.resolve("missing.txt")).contains("git fetch --unshallow"));
        build("--releases=optional", "--contract", all + "/api.jar").assertGood();
        assertEquals(List.of("missing.txt"), names(all));

        repository = folder.resolve("full");
        git("clone", "-q", "file://" + origin, repository.toString());
        releases("0.1.0 " + ABSENT);
        build("0.1.0").assertBad(ABSENT, "is not in this repository", "git fetch");

        repository = folder.resolve("archive");
        git("-C", origin.toString(), "worktree", "list");
        run(List.of("cp", "-r", origin.toString(), repository.toString())).assertGood();
        run(List.of("rm", "-r", repository.resolve(".git").toString())).assertGood();
        build("0.1.0").assertBad("has no history", "git clone");

        repository = origin;
        releases("0.1.0 " + commit);
        Path tools = Files.createDirectory(folder.resolve("tools"));
        for (String tool : List.of("sh", "awk", "dirname", "head", "env")) {
            Path found =
                    Path.of(run(List.of("sh", "-c", "command -v " + tool)).out().strip());
            Files.createSymbolicLink(tools.resolve(tool), found);
        }
        run(List.of("env", "PATH=" + tools, origin.resolve("engines/build").toString(), "0.1.0"))
                .assertBad("needs git", "apt-get install git");
        build("0.1.0").assertGood();
        assertEquals(List.of("multivisor-engine-0.1.0.jar"), names(allOf()));
    }

    private Path allOf() throws Exception {
        Path all = folder.resolve("all");
        build("--all", all.toString()).assertGood();
        return all;
    }

    private void releases(String text) throws IOException {
        Files.writeString(repository.resolve("engines/releases.txt"), text);
    }

    /** Commits everything, with a source that has this content. */
    private String commit(String source) throws Exception {
        Files.writeString(repository.resolve("source"), source);
        return commit();
    }

    private String commit() throws Exception {
        if (!Files.exists(repository.resolve(".git"))) {
            git("init", "-q", repository.toString());
        }
        String at = repository.toString();
        git("-C", at, "add", "-A");
        git("-C", at, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "test");
        return git("-C", at, "rev-parse", "HEAD").strip();
    }

    private String git(String... arguments) throws Exception {
        return run(Stream.concat(Stream.of("git"), Stream.of(arguments)).toList())
                .assertGood()
                .out();
    }

    private Result build(String... arguments) throws Exception {
        return run(command(List.of(arguments)));
    }

    /** The stand-in is found first; all callers have the same cache. */
    private List<String> command(List<String> arguments) {
        List<String> command = new ArrayList<>(List.of(
                "env",
                "PATH=" + folder.resolve("bin") + ":" + System.getenv("PATH"),
                "XDG_CACHE_HOME=" + folder.resolve("cache"),
                repository.resolve("engines/build").toString()));
        command.addAll(arguments);
        return command;
    }

    private Result run(List<String> command) throws Exception {
        return new Program(folder).run("", command);
    }

    private Path cache() {
        return folder.resolve("cache/multivisor/releases");
    }

    private long calls() throws IOException {
        return Files.readAllLines(calls).size();
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private static void executable(Path file, String content) throws IOException {
        Files.writeString(file, content);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
}
