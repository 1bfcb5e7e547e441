//! A store that says what it likes.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use tollgate_tests::ports::listener;

/// What is asked of one quota.
pub struct Asked {
    pub now: i64,
    pub length: i64,
    pub limit: i64,
    pub wanted: i64,
    pub seen: i64,
}

/// What is answered to a question for a slice.
#[derive(Clone, Copy)]
pub enum Lie {
    /// No lie: everything that is wanted, as far as the limit goes.
    None,
    /// Window, granted, total, rest.
    Numbers(fn(&Asked) -> [i64; 4]),
    /// Another time than it is, in ms.
    Time(i64),
    /// These bytes.
    Bytes(&'static [u8]),
    /// These bytes, and then nothing more on this connection.
    Broken(&'static [u8]),
    /// These bytes, and then more without an end.
    Endless(&'static [u8]),
    /// Nothing.
    Silence,
}

/// To which command it lies.
pub type Lies = (&'static str, Lie);

pub struct Liar {
    pub port: u16,
    lies: Arc<Mutex<Lies>>,
    /// Most bytes that were taken from one endless answer.
    pub taken: Arc<AtomicUsize>,
}

impl Liar {
    /// It is honest for now.
    pub fn start() -> Self {
        let listener: TcpListener = listener();
        let port = listener.local_addr().unwrap().port();
        let (lies, taken) = (Arc::new(Mutex::new(("", Lie::None))), Arc::<AtomicUsize>::default());
        let (told, most) = (lies.clone(), taken.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (told, most) = (told.clone(), most.clone());
                thread::spawn(move || serve(&stream.unwrap(), &told, &most));
            }
        });
        Self { port, lies, taken }
    }

    /// From now on it lies to that command.
    pub fn lies(&self, lies: Lies) {
        *self.lies.lock().unwrap() = lies;
    }
}

/// Serves a connection to its end.
fn serve(stream: &TcpStream, lies: &Mutex<Lies>, taken: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut total = 0;
    while let Some(command) = command(&mut reader) {
        let name = command[0].to_ascii_uppercase();
        let questions = if name == "EVALSHA" { command[2].parse::<usize>().unwrap() - 1 } else { 0 };
        // The calls by which a gateway gets to know the store are one thing, questions another.
        let kind = if questions > 0 { "QUESTION" } else { name.as_str() };
        let (to, lie) = *lies.lock().unwrap();
        let lie = if to == kind { lie } else { Lie::None };
        if !tell(stream, &command, &name, questions, lie, &mut total, taken) {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// Answers; false when the connection is over.
fn tell(mut stream: &TcpStream, command: &[String], name: &str, questions: usize, lie: Lie, total: &mut i64, taken: &AtomicUsize) -> bool {
    let honest = |offset: i64, numbers: &mut dyn FnMut(&Asked) -> [i64; 4]| match name {
        "ROLE" => "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n".to_owned(),
        "INFO" => "$11\r\nrun_id:none\r\n".to_owned(),
        "CONFIG" => "*2\r\n$1\r\nx\r\n$1\r\n0\r\n".to_owned(),
        "EVALSHA" if command[3].ends_with(":gateways") => ":1\r\n".to_owned(),
        "EVALSHA" => leases(command, questions, offset, numbers),
        _ => "+OK\r\n".to_owned(),
    };
    let mut fair = |asked: &Asked| {
        let granted = asked.wanted.min(asked.limit - *total);
        *total += granted;
        [asked.now / asked.length, granted, *total, asked.limit - *total]
    };
    let answer = match lie {
        Lie::None => honest(0, &mut fair).into_bytes(),
        Lie::Numbers(mut numbers) => honest(0, &mut numbers).into_bytes(),
        Lie::Time(offset) => honest(offset, &mut fair).into_bytes(),
        Lie::Bytes(bytes) => bytes.to_vec(),
        Lie::Silence => return true,
        Lie::Broken(bytes) => {
            let _ = stream.write_all(bytes);
            return false;
        }
        Lie::Endless(bytes) => {
            let (mut sent, piece) = (0, [b'x'; 64 << 10]);
            let _ = stream.write_all(bytes);
            while sent < 1 << 30 && stream.write_all(&piece).is_ok() {
                sent += piece.len();
            }
            taken.fetch_max(sent, SeqCst);
            return false;
        }
    };
    stream.write_all(&answer).is_ok()
}

fn leases(command: &[String], questions: usize, offset: i64, numbers: &mut dyn FnMut(&Asked) -> [i64; 4]) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap() + offset;
    let text = now.to_string();
    let mut answer = format!("*{}\r\n${}\r\n{text}\r\n$1\r\n7\r\n", 2 + 4 * questions, text.len());
    // The name, the script, how many keys, the keys, and two numbers.
    for question in command[6 + questions..].chunks_exact(5) {
        let read = |index: usize| question[index].parse::<i64>().unwrap();
        let asked = Asked { now, limit: read(0), length: read(1), wanted: read(2), seen: read(3) };
        for number in numbers(&asked) {
            answer += &format!(":{number}\r\n");
        }
    }
    answer
}

/// One command, as clients write it.
fn command(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let number = |reader: &mut dyn BufRead| {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        line.trim_end().get(1..)?.parse::<usize>().ok()
    };
    let count = number(reader)?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = vec![0; number(reader)? + 2];
        reader.read_exact(&mut word).ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).ok()?);
    }
    Some(words)
}
