//! A stack in a process of its own: it comes up in the background, and however that process ends, nothing is left.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use penstock_local::process::{Signal, signal_process};
use penstock_local::{Endpoints, LocalError, UpOptions, down, run, shutdown_signal, spawn_detached};

use crate::support::{http, options};

const FOLDER: &str = "PENSTOCK_TEST_FOLDER";
const ITSELF: [&str; 4] =
    ["--exact", "processes::the_stack_in_a_process_of_its_own", "--ignored", "--nocapture"];

/// No test: this very program, started again by the others.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests, in a process of its own"]
async fn the_stack_in_a_process_of_its_own() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let (defaults, _unused) = options(&[]);
    let options =
        UpOptions { state_dir: folder.join("state"), functions_dir: folder.join("functions"), ..defaults };
    if let Err(error) = run(options, |_| {}, shutdown_signal().unwrap()).await {
        // A panic's backtrace would push this out of the end of the log.
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// Starts it by way of `env`, since a detached program is given arguments and no variables.
fn detach(folder: &Path, state_dir: &Path) -> Result<Endpoints, LocalError> {
    let program = std::env::current_exe().unwrap().display().to_string();
    let variable = format!("{FOLDER}={}", folder.display());
    let arguments: Vec<String> = [variable, program].into_iter().chain(ITSELF.map(str::to_owned)).collect();
    spawn_detached(Path::new("/usr/bin/env"), &arguments, state_dir)
}

/// Everything that was started with the folder among its arguments or variables.
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

fn nothing_is_left_of(folder: &Path) {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let left = processes_of(folder);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{left:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Makes the function's process run, so that there is one to leave behind.
fn invoke(endpoints: &Endpoints) {
    let (code, body) = http(&endpoints.control_url, "POST", "/functions/fake/invoke", "{}");
    assert_eq!(code, 200, "{body}");
}

#[test]
fn a_stack_in_the_background_is_ready_when_it_says_so_and_stops_when_told() {
    let (options, folder) = options(&[]);
    let endpoints = detach(folder.path(), &options.state_dir).unwrap();
    invoke(&endpoints);
    let twice = detach(folder.path(), &options.state_dir).unwrap_err();
    assert!(matches!(twice, LocalError::AlreadyRunning { .. }), "{twice}");
    assert!(processes_of(folder.path()).len() >= 4);
    down(&options.state_dir).unwrap();
    nothing_is_left_of(folder.path());
    assert!(matches!(down(&options.state_dir), Err(LocalError::NotRunning { .. })));
}

#[test]
fn a_stack_whose_process_is_killed_leaves_nothing_behind() {
    let (options, folder) = options(&[]);
    let endpoints = detach(folder.path(), &options.state_dir).unwrap();
    invoke(&endpoints);
    let state = std::fs::read_to_string(options.state_dir.join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    signal_process(state["owner"]["pid"].to_string().parse().unwrap(), Signal::KILL);
    nothing_is_left_of(folder.path());
    // And the next one is not kept from starting.
    detach(folder.path(), &options.state_dir).unwrap();
    down(&options.state_dir).unwrap();
    nothing_is_left_of(folder.path());
}

#[test]
fn a_stack_that_is_interrupted_while_it_starts_leaves_nothing_behind() {
    for wait_ms in [150, 500, 900] {
        let (_, folder) = options(&[]);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(ITSELF)
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        signal_process(child.id(), Signal::INT);
        child.wait().unwrap();
        nothing_is_left_of(folder.path());
    }
}

#[test]
fn a_stack_that_cannot_start_says_why() {
    let (options, folder) = options(&[]);
    std::fs::remove_file(folder.path().join("functions/fake")).unwrap();
    let error = detach(folder.path(), &options.state_dir).unwrap_err().to_string();
    assert!(error.contains("cargo build"), "{error}");
    nothing_is_left_of(folder.path());
}
