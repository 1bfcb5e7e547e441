// Publishes what it is told on stdin, one command a line: "map NAME VALUE NAME VALUE..",
// where a value may be long:7, int:7 or boolean:true, and is a text otherwise; "text BODY". Answers each with "ok".
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
                for (int i = 0; i < fields.length; i += 2) set(message, fields[i], fields[i + 1]);
                producer.send(message);
            } else {
                producer.send(session.createTextMessage(words[1]));
            }
            System.out.println("ok");
        }
        connection.close();
    }

    static void set(MapMessage message, String name, String value) throws JMSException {
        if (value.startsWith("long:")) message.setLong(name, Long.parseLong(value.substring(5)));
        else if (value.startsWith("int:")) message.setInt(name, Integer.parseInt(value.substring(4)));
        else if (value.startsWith("boolean:")) message.setBoolean(name, Boolean.parseBoolean(value.substring(8)));
        else message.setString(name, value);
    }
}
