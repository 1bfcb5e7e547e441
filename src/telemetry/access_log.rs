//! The access log's way from a request to a file: a bounded queue and one thread that writes in batches.
//!
//! Handing over a line is a push in memory: no lock is waited for, no file touched, no thread woken. The writer looks into
//! the queue by itself, soon while there is traffic and seldom while there is none. What does not fit is dropped and counted.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use prometheus::IntCounter;
use tollgate_filter_api::Problem;

use super::Line;
use crate::config;

/// Lines that may wait. At 100,000 requests a second that is 80 ms of a writer that stands still.
const CAPACITY: usize = 8192;

/// Bytes of a batch, after which it is written even when more lines wait.
const BATCH: usize = 256 << 10;

/// Shortest and longest pause between two looks into the queue.
const PAUSES: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(80)];

/// Where a request's line is handed over.
#[derive(Clone, Debug)]
pub struct AccessLog(Option<Queue>);

#[derive(Clone, Debug)]
struct Queue {
    lines: SyncSender<Box<Line>>,
    flushes: SyncSender<SyncSender<()>>,
    dropped: IntCounter,
    reopen: Arc<AtomicBool>,
}

/// What `access_log.to` may be.
const WAYS: &str = "name a file in a folder that exists, `stdout` or `off`";

impl AccessLog {
    /// Opens what the configuration names, and starts the writer. `dropped` counts lines that did not fit.
    ///
    /// # Errors
    /// When the file cannot be opened or the writer cannot be started.
    pub fn open(config: &config::AccessLog, dropped: IntCounter) -> Result<Self, Problem> {
        match config.to.as_str() {
            "off" => Ok(Self(None)),
            "stdout" => Self::to(io::stdout(), dropped),
            path => {
                let file = append(path.as_ref());
                let file = file.map_err(|error| {
                    Problem::error("access_log.open", format!("cannot append to the access log {path}: {error}")).hint(WAYS)
                })?;
                Self::start(Box::new(file), Some(path.into()), dropped)
            }
        }
    }

    /// Writes to anything.
    ///
    /// # Errors
    /// When the writer cannot be started.
    pub fn to(sink: impl Write + Send + 'static, dropped: IntCounter) -> Result<Self, Problem> {
        Self::start(Box::new(sink), None, dropped)
    }

    fn start(sink: Output, path: Option<PathBuf>, dropped: IntCounter) -> Result<Self, Problem> {
        let reopen = Arc::new(AtomicBool::new(false));
        let (lines, waiting) = sync_channel(CAPACITY);
        let (flushes, flush_requests) = sync_channel(1);
        let writer = Writer { sink, path, reopen: reopen.clone(), waiting, flush_requests, batch: Vec::with_capacity(BATCH) };
        thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writer.run())
            .map_err(|error| Problem::error("access_log.thread", format!("cannot start the access log's writer: {error}")))?;
        Ok(Self(Some(Queue { lines, flushes, dropped, reopen })))
    }

    /// Opens the file anew before the next line is written, as when the old one was moved away. When that fails, the old one stays
    /// in use, and the program's log says why.
    pub fn reopen(&self) {
        if let Some(queue) = &self.0 {
            queue.reopen.store(true, Ordering::Relaxed);
        }
    }

    /// Whether there is a log at all; without one, nobody needs to make a line.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Hands a line over, or drops it when too many wait. Never blocks.
    pub fn write(&self, line: Line) {
        if let Some(queue) = &self.0
            && queue.lines.try_send(Box::new(line)).is_err()
        {
            queue.dropped.inc();
        }
    }

    /// Waits until everything that was handed over before is written, at most so long. Says whether it was.
    pub fn flush(&self, patience: Duration) -> bool {
        let Some(queue) = &self.0 else { return true };
        let (done, finished) = sync_channel(1);
        queue.flushes.try_send(done).is_ok() && finished.recv_timeout(patience).is_ok()
    }
}

type Output = Box<dyn Write + Send>;

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// The other end of the queue.
struct Writer {
    sink: Output,
    /// Where the sink is a file.
    path: Option<PathBuf>,
    reopen: Arc<AtomicBool>,
    waiting: Receiver<Box<Line>>,
    flush_requests: Receiver<SyncSender<()>>,
    batch: Vec<u8>,
}

impl Writer {
    /// Runs until the last handle is dropped and everything is written.
    fn run(mut self) {
        let [shortest, longest] = PAUSES;
        let mut pause = shortest;
        loop {
            let wrote = self.drain();
            pause = if wrote { shortest } else { (pause * 2).min(longest) };
            match self.flush_requests.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.drain();
                    return;
                }
                Ok(done) => {
                    self.drain();
                    // Who asked may have run out of patience.
                    let _ = done.try_send(());
                }
            }
        }
    }

    /// Writes everything that waits. Says whether there was something.
    fn drain(&mut self) -> bool {
        if self.reopen.swap(false, Ordering::Relaxed) {
            self.open();
        }
        let mut some = false;
        while let Ok(line) = self.waiting.try_recv() {
            some = true;
            if serde_json::to_writer(&mut self.batch, &*line).is_ok() {
                self.batch.push(b'\n');
            }
            if self.batch.len() >= BATCH {
                self.write();
            }
        }
        if some {
            self.write();
        }
        some
    }

    fn open(&mut self) {
        let Some(path) = &self.path else { return };
        match append(path) {
            Ok(file) => self.sink = Box::new(file),
            Err(error) => log::error!("cannot open the access log {} anew, the old file stays in use: {error}", path.display()),
        }
    }

    fn write(&mut self) {
        if let Err(error) = self.sink.write_all(&self.batch).and_then(|()| self.sink.flush()) {
            log::error!("cannot write to the access log: {error}");
        }
        self.batch.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        sync::{Condvar, Mutex},
        time::SystemTime,
    };

    use tollgate_filter_api::{Method, RequestId};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Collects what is written; stands still while it is closed.
    #[derive(Clone, Default)]
    struct Sink(Arc<Shared>);

    #[derive(Default)]
    struct Shared {
        written: Mutex<Written>,
        changed: Condvar,
    }

    #[derive(Default)]
    struct Written {
        bytes: Vec<u8>,
        closed: bool,
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.written.lock().unwrap().bytes.clone()).unwrap()
        }

        fn close(&self, closed: bool) {
            self.0.written.lock().unwrap().closed = closed;
            self.0.changed.notify_all();
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.0.changed.wait_while(self.0.written.lock().unwrap(), |written| written.closed).unwrap();
            written.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn dropped() -> IntCounter {
        IntCounter::new("dropped", "dropped").unwrap()
    }

    fn line(path: &str) -> Line {
        Line {
            time: SystemTime::UNIX_EPOCH,
            request_id: RequestId::default(),
            configuration: None,
            client: [192, 0, 2, 1].into(),
            method: Method::GET,
            host: "a.example".into(),
            path: path.into(),
            operation: None,
            status: 200,
            grpc_status: None,
            reason: None,
            cause: None,
            explanation: None,
            detail: None,
            bytes_in: 0,
            bytes_out: 2,
            duration: Duration::from_micros(1500),
            upstream_duration: None,
            upstream: None,
            attempts: 1,
            protocol: "HTTP/1.1",
            tls: None,
            principal: None,
            refused_client: None,
            claimed_client: None,
            certificate: None,

            untrusted_certificate: None,
        }
    }

    #[test]
    fn every_line_is_written_in_the_order_of_hand_over() {
        let sink = Sink::default();
        let log = AccessLog::to(sink.clone(), dropped()).unwrap();
        for i in 0..1000 {
            log.write(line(&format!("/{i}")));
        }
        assert!(log.flush(PATIENCE));
        let paths: Vec<String> = sink
            .text()
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["path"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(paths, (0..1000).map(|i| format!("/{i}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_writer_that_stands_still_costs_lines_and_not_time() {
        let sink = Sink::default();
        let counter = dropped();
        let log = AccessLog::to(sink.clone(), counter.clone()).unwrap();
        sink.close(true);
        let handed_over = 3 * CAPACITY;
        for _ in 0..handed_over {
            log.write(line("/"));
        }
        assert!(counter.get() >= CAPACITY as u64, "{}", counter.get());
        assert!(!log.flush(Duration::from_millis(1)));
        sink.close(false);
        drop(log);
        // The writer ends by itself when the last handle is gone; then every line was either written or counted.
        while Arc::strong_count(&sink.0) > 1 {
            thread::yield_now();
        }
        assert_eq!(sink.text().lines().count() + counter.get() as usize, handed_over);
    }

    #[test]
    fn a_line_stays_one_line_whatever_it_holds() {
        let sink = Sink::default();
        let log = AccessLog::to(sink.clone(), dropped()).unwrap();
        log.write(line("/a\r\n{\"status\":200}\u{2028}\u{0}\u{1b}[31m"));
        assert!(log.flush(PATIENCE));
        assert_eq!(sink.text().matches('\n').count(), 1);
        assert!(!sink.text().contains(['\r', '\0', '\u{1b}']), "{}", sink.text());
    }

    #[test]
    fn off_is_off() {
        let log = AccessLog::open(&config::AccessLog { to: "off".into() }, dropped()).unwrap();
        assert!(!log.is_on());
        log.write(line("/"));
        assert!(log.flush(Duration::ZERO));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_a_problem_with_its_name() {
        let problem = AccessLog::open(&config::AccessLog { to: "/nowhere/at/all.log".into() }, dropped()).unwrap_err();
        assert!(problem.message.contains("/nowhere/at/all.log"), "{problem}");
    }
}
