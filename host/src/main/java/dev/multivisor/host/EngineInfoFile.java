package dev.multivisor.host;

import dev.multivisor.api.EngineInfo;
import dev.multivisor.api.EngineParameter;
import dev.multivisor.api.StateFormat;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What an engine said about itself, as a file: loading an engine takes far longer than reading this. */
final class EngineInfoFile {
    /** Changes with the layout, so that a file of another layout is not read. */
    private static final int MAGIC = 0x4d564901;

    private static final int END = 0x454e4421;

    private EngineInfoFile() {}

    static void write(Path file, EngineInfo info) throws IOException {
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)))) {
            out.writeInt(MAGIC);
            out.writeUTF(info.name());
            out.writeUTF(info.version());
            out.writeInt(info.contract());
            out.writeInt(info.parameters().size());
            for (EngineParameter parameter : info.parameters()) {
                out.writeUTF(parameter.name());
                out.writeUTF(parameter.description());
                out.writeUTF(parameter.standard());
            }
            out.writeInt(info.state().sections().size());
            for (Map.Entry<String, Integer> section : info.state().sections().entrySet()) {
                out.writeUTF(section.getKey());
                out.writeInt(section.getValue());
            }
            out.writeInt(info.state().features().size());
            for (String feature : info.state().features()) {
                out.writeUTF(feature);
            }
            out.writeInt(END);
        }
    }

    /**
     * Reads it.
     *
     * @throws IOException also if it is damaged
     */
    static EngineInfo read(Path file) throws IOException {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(file)))) {
            require(in.readInt() == MAGIC, file);
            String name = in.readUTF();
            String version = in.readUTF();
            int contract = in.readInt();
            List<EngineParameter> parameters = new ArrayList<>();
            for (int n = in.readInt(); n > 0; n--) {
                parameters.add(new EngineParameter(in.readUTF(), in.readUTF(), in.readUTF()));
            }
            Map<String, Integer> sections = new HashMap<>();
            for (int n = in.readInt(); n > 0; n--) {
                sections.put(in.readUTF(), in.readInt());
            }
            Set<String> features = new HashSet<>();
            for (int n = in.readInt(); n > 0; n--) {
                features.add(in.readUTF());
            }
            require(in.readInt() == END && in.read() < 0, file);
            return new EngineInfo(name, version, contract, parameters, new StateFormat(sections, features));
        }
    }

    private static void require(boolean condition, Path file) throws IOException {
        if (!condition) {
            throw new IOException(file + " is damaged");
        }
    }
}
