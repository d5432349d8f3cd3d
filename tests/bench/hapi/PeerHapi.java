import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.app.HL7Service;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.protocol.ReceivingApplication;
import ca.uhn.hl7v2.validation.impl.ValidationContextFactory;
import java.net.ServerSocket;
import java.util.Map;

/** HAPI's own server: parses without validation and acknowledges; it stores nothing. Prints its port, ends when its input ends. */
public final class PeerHapi {
    public static void main(String[] arguments) throws Exception {
        HapiContext context = new DefaultHapiContext();
        context.setValidationContext(ValidationContextFactory.noValidation());
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        HL7Service server = context.newServer(port, false);
        server.registerApplication(new ReceivingApplication<Message>() {
            @Override
            public Message processMessage(Message message, Map<String, Object> metadata) throws ca.uhn.hl7v2.protocol.ReceivingApplicationException {
                try {
                    return message.generateACK();
                } catch (Exception error) {
                    throw new ca.uhn.hl7v2.protocol.ReceivingApplicationException(error);
                }
            }

            @Override
            public boolean canProcess(Message message) {
                return true;
            }
        });
        server.startAndWait();
        System.out.println(port);
        System.out.flush();
        while (System.in.read() >= 0) {
            continue;
        }
        server.stopAndWait();
        context.close();
        System.exit(0);
    }
}
