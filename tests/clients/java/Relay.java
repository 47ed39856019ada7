import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A way to the server that can be cut and mended: what a network does to a client. */
final class Relay implements AutoCloseable {
    private final ServerSocket listener;
    private final String host;
    private final int port;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private volatile boolean cut;

    Relay(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        host = address.substring(0, colon);
        port = Integer.parseInt(address.substring(colon + 1));
        listener = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        daemon(this::accept);
    }

    String address() {
        return "127.0.0.1:" + listener.getLocalPort();
    }

    /** Closes what is open and takes nothing new. */
    void cut() {
        cut = true;
        sockets.forEach(Relay::shut);
        sockets.clear();
    }

    void mend() {
        cut = false;
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }

    private void accept() {
        while (!listener.isClosed()) {
            Socket near = null;
            try {
                near = listener.accept();
                if (cut) {
                    shut(near);
                    continue;
                }
                Socket far = new Socket(host, port);
                pair(near, far);
            } catch (IOException error) {
                if (near != null) {
                    shut(near);
                }
            }
        }
    }

    private void pair(Socket near, Socket far) throws IOException {
        near.setTcpNoDelay(true);
        far.setTcpNoDelay(true);
        sockets.add(near);
        sockets.add(far);
        if (cut) {
            cut();
        }
        daemon(() -> pump(near, far));
        daemon(() -> pump(far, near));
    }

    private static void pump(Socket from, Socket to) {
        byte[] buffer = new byte[65536];
        try {
            for (int n = from.getInputStream().read(buffer); n > 0; n = from.getInputStream().read(buffer)) {
                to.getOutputStream().write(buffer, 0, n);
            }
        } catch (IOException error) {
            // Either side has closed: so does the other.
        }
        shut(from);
        shut(to);
    }

    private static void shut(Socket socket) {
        try {
            socket.close();
        } catch (IOException error) {
            // It is gone in any case.
        }
    }

    private static void daemon(Runnable body) {
        Thread thread = new Thread(body, "relay");
        thread.setDaemon(true);
        thread.start();
    }
}
