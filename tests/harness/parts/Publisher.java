// Publishes what it is told on stdin, one command a line: "map NAME VALUE NAME VALUE..", "text BODY". Answers each with "ok".
import java.io.*;
import javax.jms.*;

public class Publisher {
    public static void main(String[] arguments) throws Exception {
        var factory = new org.apache.activemq.ActiveMQConnectionFactory(arguments[1], arguments[2], arguments[0]);
        Connection connection = factory.createConnection();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(session.createTopic(arguments[3]));
        System.out.println("ready");
        var input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null;) {
            String[] words = line.split(" ", 2);
            if (words[0].equals("map")) {
                MapMessage message = session.createMapMessage();
                String[] fields = words[1].split(" ");
                for (int i = 0; i < fields.length; i += 2) message.setString(fields[i], fields[i + 1]);
                producer.send(message);
            } else {
                producer.send(session.createTextMessage(words[1]));
            }
            System.out.println("ok");
        }
        connection.close();
    }
}
