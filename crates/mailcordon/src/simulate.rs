//! `mailcordon sandbox`: a simulated tenant in the foreground.

use std::{fmt::Write as _, fs, io::Write as _, net::SocketAddr, path::Path, sync::Arc};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use kernel::{Failure, SystemClock, failure::code};
use sandbox::{Description, Options, Sandbox, fault::Script, options};

use crate::{setup, signals, terminal};

/// The grammar of `sandbox`.
pub fn sandbox_grammar() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("sandbox")
        .about("Starts a simulated Microsoft 365 tenant on this machine, for trying and testing")
        .after_help(
            "The first line on standard output is one JSON object: tenant, endpoints, credentials, \
             control endpoint. Ctrl-C stops it.",
        )
        .arg(option("seed", "N", "People, mail and ids all come from this number").default_value("1").value_parser(value_parser!(u64)))
        .arg(option("listen", "ADDR", "Where it listens; loopback only").default_value("127.0.0.1:0").value_parser(value_parser!(SocketAddr)))
        .arg(option("mailboxes", "N", "How many mailboxes").value_parser(value_parser!(usize)))
        .arg(option("quarantine", "N", "How many quarantined messages").value_parser(value_parser!(usize)))
        .arg(option("plan", "PLAN", "The Defender plan, which bounds the lists").value_parser(["eop", "p1", "p2"]).default_value("p2"))
        .arg(option("compliance", "MODE", "Content search: as Microsoft has it now, with search-only sessions, or as it was").value_parser(["retired", "search-only", "legacy"]).default_value("retired"))
        .arg(option("delay-ms", "N", "How long every call takes").value_parser(value_parser!(u64)))
        .arg(option("concurrency", "N", "How many calls may be in flight; more are refused").value_parser(value_parser!(usize)))
        .arg(option("lag-ms", "N", "How long changes stay invisible to reads").value_parser(value_parser!(u64)))
        .arg(option("faults", "FILE", "A fault script, JSON"))
        .arg(option("settings", "FILE", "Further settings, a JSON object as the control endpoint takes it"))
        .arg(option("config-out", "DIR", "Writes a ready configuration and its secret files there"))
        .arg(Arg::new("intercept").long("intercept").action(ArgAction::SetTrue).help(
            "Also an HTTPS proxy that answers for Microsoft's host names with its own certificates",
        ))
}

/// Runs a sandbox until it is stopped.
pub fn sandbox(matches: &ArgMatches) -> Result<u8, Failure> {
    let options = read_options(matches)?;
    let settings = matches
        .get_one::<String>("settings")
        .map(|path| crate::files::object(path))
        .transpose()?;
    setup::wide_runtime()?.block_on(async {
        let running = Sandbox::start(options)
            .await
            .map_err(|error| refused(&error.to_string()))?;
        if let Some(settings) = settings {
            running
                .change_named(settings)
                .map_err(|error| refused(&error.to_string()))?;
        }
        let description = running.description().clone();
        if let Some(folder) = matches.get_one::<String>("config-out") {
            write_config(Path::new(folder), &description)?;
            terminal::note(&format!("configuration written to {folder}/config.toml"));
        }
        let line = serde_json::to_string(&description).map_err(|error| {
            Failure::internal(format!("the description was not written: {error}"))
        })?;
        terminal::data(&line);
        // Nobody could use a sandbox whose description went nowhere.
        if terminal::unwritten().is_none() {
            signals::stop_asked().await;
        }
        running.stop().await;
        Ok(0)
    })
}

fn refused(message: &str) -> Failure {
    Failure::new(
        kernel::ErrorKind::Configuration,
        code::CONFIGURATION,
        format!("the sandbox did not start: {message}"),
    )
}

fn read_options(matches: &ArgMatches) -> Result<Options, Failure> {
    let mut options = Options::new(Arc::new(SystemClock::default()));
    let number = |name: &str| matches.get_one::<usize>(name).copied();
    if let Some(seed) = matches.get_one::<u64>("seed") {
        options.seed = *seed;
    }
    if let Some(listen) = matches.get_one::<SocketAddr>("listen") {
        options.listen = *listen;
    }
    if let Some(mailboxes) = number("mailboxes") {
        options.mailboxes = mailboxes;
    }
    if let Some(quarantine) = number("quarantine") {
        options.quarantine = quarantine;
    }
    options.plan = match matches.get_one::<String>("plan").map(String::as_str) {
        Some("eop") => options::Plan::Eop,
        Some("p1") => options::Plan::Plan1,
        _ => options::Plan::Plan2,
    };
    options.settings.compliance = match matches.get_one::<String>("compliance").map(String::as_str)
    {
        Some("search-only") => options::Compliance::SearchOnly,
        Some("legacy") => options::Compliance::Legacy,
        _ => options::Compliance::Retired,
    };
    if let Some(delay) = matches.get_one::<u64>("delay-ms") {
        options.settings.delay_ms = *delay;
    }
    if let Some(concurrency) = number("concurrency") {
        options.settings.concurrency = concurrency;
    }
    if let Some(lag) = matches.get_one::<u64>("lag-ms") {
        options.settings.lag_ms = *lag;
    }
    options.intercept = matches.get_flag("intercept");
    if let Some(path) = matches.get_one::<String>("faults") {
        options.faults = script(path)?;
    }
    Ok(options)
}

fn script(path: &str) -> Result<Script, Failure> {
    let bytes = crate::files::read(path, 1024 * 1024)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::invalid(
            code::WRONG_SHAPE,
            format!("`{path}` is no fault script: {error}"),
        )
    })
}

/// Writes a configuration with one connection an account, and the secrets as files that only their
/// owner may read.
pub fn write_config(folder: &Path, description: &Description) -> Result<(), Failure> {
    private_folder(folder).map_err(|error| cannot_write(folder, &error))?;
    let credentials = &description.credentials;
    let secrets = [
        ("client-secret", credentials.oauth2.client_secret.as_str()),
        ("password", credentials.basic.password.as_str()),
    ];
    for (name, secret) in secrets {
        private_file(&folder.join(name), secret).map_err(|error| cannot_write(folder, &error))?;
    }
    private_file(&folder.join("config.toml"), &toml(description))
        .map_err(|error| cannot_write(folder, &error))
}

fn toml(description: &Description) -> String {
    let mut text = String::from(
        "# A simulated tenant; its addresses change with each start.\nversion = 1\ndefault_connection = \"sandbox\"\n",
    );
    let endpoints = format!(
        "endpoints = {{ authority = \"{}\", exchange = \"{}\", compliance = \"{}\", graph = \"{}\", download = \"{}\" }}\n",
        description.authority,
        description.exchange,
        description.compliance,
        description.graph,
        description.download
    );
    let auth = [
        (
            "sandbox",
            format!(
                "auth = {{ type = \"oauth2\", client_id = \"{}\", client_secret = \"file:client-secret\" }}\n",
                description.credentials.oauth2.client_id
            ),
        ),
        (
            "sandbox-user",
            format!(
                "auth = {{ type = \"basic\", username = \"{}\", password = \"file:password\" }}\n",
                description.credentials.basic.username
            ),
        ),
    ];
    for (name, auth) in &auth {
        let _ = write!(
            text,
            "\n[connections.{name}]\ntenant = \"{}\"\ncloud = \"custom\"\n{endpoints}{auth}",
            description.tenant
        );
    }
    if let (Some(proxy), Some(ca_file)) = (&description.proxy, &description.ca_file) {
        for (name, auth) in &auth {
            let _ = write!(
                text,
                "\n# The same under Microsoft's own host names.\n[connections.{name}-intercepted]\ntenant = \"{}\"\n\
                 cloud = \"commercial\"\nproxy = {{ url = \"{proxy}\" }}\nca_file = \"{ca_file}\"\n{auth}",
                description.tenant
            );
        }
    }
    text
}

fn cannot_write(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        kernel::ErrorKind::Configuration,
        code::CONFIGURATION,
        format!("`{}` cannot be written: {error}", folder.display()),
    )
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    // A file that is there may have other rights, or be a link to elsewhere.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
