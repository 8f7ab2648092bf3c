//! A stack in a process of its own: it starts in the background, and no process remains when it ends or is killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use penstock_local::process::{Signal, signal_process};
use penstock_local::{Endpoints, LocalError, UpOptions, down, run, shutdown_signal, spawn_detached};

use crate::support::{http, options};

const FOLDER: &str = "PENSTOCK_TEST_FOLDER";
const ITSELF: [&str; 4] =
    ["--exact", "processes::the_stack_in_a_process_of_its_own", "--ignored", "--nocapture"];

/// Not a test: the other tests start this program with it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn the_stack_in_a_process_of_its_own() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let (defaults, _unused) = options(&[]);
    let options =
        UpOptions { state_dir: folder.join("state"), functions_dir: folder.join("functions"), ..defaults };
    if let Err(error) = run(options, |_| {}, shutdown_signal().unwrap()).await {
        // A panic's backtrace would move this message out of the last lines of the log.
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// Starts the program by `env`, because `spawn_detached` has no parameter for variables.
fn detach(folder: &Path, state_dir: &Path) -> Result<Endpoints, LocalError> {
    let program = std::env::current_exe().unwrap().display().to_string();
    let variable = format!("{FOLDER}={}", folder.display());
    let arguments: Vec<String> = [variable, program].into_iter().chain(ITSELF.map(str::to_owned)).collect();
    spawn_detached(Path::new("/usr/bin/env"), &arguments, state_dir)
}

/// Returns all processes that have the folder in their arguments or variables.
fn processes_of(folder: &Path) -> Vec<String> {
    let needle = folder.display().to_string();
    let mentions = |path: &Path| {
        ["cmdline", "environ"].iter().any(|file| {
            String::from_utf8_lossy(&std::fs::read(path.join(file)).unwrap_or_default()).contains(&needle)
        })
    };
    let all = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| mentions(path))
        .map(|path| {
            let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).replace('\0', " ").chars().take(120).collect()
        })
        .collect()
}

/// Waits until no process of the folder remains.
fn wait_until_no_process_of(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let remaining = processes_of(folder);
        if remaining.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{remaining:#?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Starts the function's process, which must end with the stack.
fn invoke(endpoints: &Endpoints) {
    let (code, body) = http(&endpoints.control_url, "POST", "/functions/fake/invoke", "{}");
    assert_eq!(code, 200, "{body}");
}

#[test]
fn a_detached_stack_is_ready_when_the_call_returns_and_is_stopped_by_down() {
    let (options, folder) = options(&[]);
    let endpoints = detach(folder.path(), &options.state_dir).unwrap();
    invoke(&endpoints);
    let twice = detach(folder.path(), &options.state_dir).unwrap_err();
    assert!(matches!(twice, LocalError::AlreadyRunning { .. }), "{twice}");
    assert!(processes_of(folder.path()).len() >= 4);
    down(&options.state_dir).unwrap();
    wait_until_no_process_of(folder.path());
    assert!(matches!(down(&options.state_dir), Err(LocalError::NotRunning { .. })));
}

#[test]
fn no_process_remains_when_the_process_of_the_stack_is_killed() {
    let (options, folder) = options(&[]);
    let endpoints = detach(folder.path(), &options.state_dir).unwrap();
    invoke(&endpoints);
    let state = std::fs::read_to_string(options.state_dir.join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    signal_process(state["owner"]["pid"].to_string().parse().unwrap(), Signal::KILL);
    wait_until_no_process_of(folder.path());
    // The next stack can start.
    detach(folder.path(), &options.state_dir).unwrap();
    down(&options.state_dir).unwrap();
    wait_until_no_process_of(folder.path());
}

#[test]
fn no_process_remains_when_a_stack_is_interrupted_while_it_starts() {
    // Files that the stack creates in this order while it starts.
    for file in ["lock", "logs/moto.log", "postgres/postgres.log"] {
        let (options, folder) = options(&[]);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(ITSELF)
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !options.state_dir.join(file).exists() {
            assert!(Instant::now() < deadline, "{file} is not created");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!options.state_dir.join("state.json").exists(), "the stack was ready before the signal");
        signal_process(child.id(), Signal::INT);
        child.wait().unwrap();
        wait_until_no_process_of(folder.path());
    }
}

#[test]
fn an_error_of_a_detached_stack_has_its_cause() {
    let (options, folder) = options(&[]);
    std::fs::remove_file(folder.path().join("functions/fake")).unwrap();
    let error = detach(folder.path(), &options.state_dir).unwrap_err().to_string();
    assert!(error.contains("cargo build"), "{error}");
    wait_until_no_process_of(folder.path());
}
