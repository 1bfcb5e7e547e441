//! ActiveMQ, and a JMS publisher in Java.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::fs::symlink,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use super::{PASSWORD, USER, process::Process};
use crate::{Folder, ports::free_port};

/// Jars that the STOMP connector needs for maps, and Debian's package leaves out.
const LEFT_OUT: [&str; 3] = ["xstream", "xpp3", "jettison"];

/// A running broker with persistence, so that durable subscriptions outlive it.
pub struct ActiveMq {
    pub stomp: u16,
    pub openwire: u16,
    folder: Folder,
    process: Option<Process>,
}

impl ActiveMq {
    pub fn start() -> Self {
        let (stomp, openwire) = (free_port(), free_port());
        let folder = Folder::new();
        folder.write("conf/activemq.xml", configuration(&folder, stomp, openwire));
        folder.write("conf/log4j.properties", LOG);
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        for jar in LEFT_OUT {
            symlink(format!("/usr/share/java/{jar}.jar"), folder.join(format!("lib/{jar}.jar"))).unwrap();
        }
        let mut broker = Self { stomp, openwire, folder, process: None };
        broker.restart();
        broker
    }

    /// Kills it, if it runs, and starts it again with what it had on disk.
    pub fn restart(&mut self) {
        self.kill();
        let base = self.folder.path().display().to_string();
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-Dactivemq.home=/usr/share/activemq"]);
        command.arg(format!("-Dlog4j.configuration=file:{base}/conf/log4j.properties"));
        for (name, folder) in [("base", ""), ("conf", "/conf"), ("data", "/data")] {
            command.arg(format!("-Dactivemq.{name}={base}{folder}"));
        }
        command.args(["-jar", "/usr/share/activemq/bin/activemq.jar", "start"]).arg(format!("xbean:file:{base}/conf/activemq.xml"));
        let mut process = Process::start(&mut command, self.folder.join("log"));
        assert!(process.listens(self.openwire) && process.listens(self.stomp), "it ended: {}", process.said());
        self.process = Some(process);
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it where it stands, with all its connections.
    pub fn freeze(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }

    /// A JMS publisher for a topic.
    pub fn publisher(&self, topic: &str) -> Publisher {
        let source = self.folder.write("Publisher.java", include_str!("Publisher.java"));
        let mut child = Command::new("java")
            .args(["-Xmx128m", "-cp", "/usr/share/activemq/lib/*:/usr/share/activemq/lib/optional/*"])
            .arg(source)
            .args([&format!("tcp://127.0.0.1:{}", self.openwire), USER, PASSWORD, topic])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut publisher = Publisher { child, input, output };
        publisher.expect("ready");
        publisher
    }
}

/// Publishes; every call returns once the broker has the message.
pub struct Publisher {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Publisher {
    /// A MapMessage of texts without spaces, and of values such as `long:7`, `int:7` and `boolean:true`.
    pub fn map(&mut self, fields: &[(&str, &str)]) {
        let words: Vec<String> = fields.iter().map(|(name, value)| format!("{name} {value}")).collect();
        writeln!(self.input, "map {}", words.join(" ")).unwrap();
        self.expect("ok");
    }

    /// A TextMessage of one line.
    pub fn text(&mut self, body: &str) {
        writeln!(self.input, "text {body}").unwrap();
        self.expect("ok");
    }

    fn expect(&mut self, answer: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), answer);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Folder, stomp: u16, openwire: u16) -> String {
    format!(
        r#"<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
 http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
 <broker xmlns="http://activemq.apache.org/schema/core" brokerName="test" useJmx="false" dataDirectory="{data}">
  <persistenceAdapter><kahaDB directory="{data}/kahadb"/></persistenceAdapter>
  <plugins><simpleAuthenticationPlugin><users>
   <authenticationUser username="{USER}" password="{PASSWORD}" groups="all"/>
  </users></simpleAuthenticationPlugin></plugins>
  <transportConnectors>
   <transportConnector name="openwire" uri="tcp://127.0.0.1:{openwire}"/>
   <transportConnector name="stomp" uri="stomp://127.0.0.1:{stomp}"/>
  </transportConnectors>
 </broker>
</beans>
"#,
        data = folder.join("data").display(),
    )
}

const LOG: &str = "log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %p %m%n
";
