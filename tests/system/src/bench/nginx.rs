//! nginx as a caching proxy: the program that our front door is compared with.

use crate::process::{Background, free_address};
use anyhow::{Context as _, Result};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

/// Starts nginx with one worker in front of `origin`, with everything it writes below `directory`.
pub(super) fn start(origin: SocketAddr, directory: &Path) -> Result<(Background, SocketAddr)> {
    let address = free_address()?;
    fs::create_dir_all(directory)?;
    let configuration = directory.join("nginx.conf");
    fs::write(&configuration, configure(address, origin, directory))?;
    let mut command = Command::new("nginx");
    command
        .arg("-p")
        .arg(directory)
        .arg("-c")
        .arg(&configuration)
        .arg("-e")
        .arg(directory.join("error.log"))
        .stderr(Stdio::null());
    let mut nginx = Background::start("nginx", &mut command)
        .context("nginx is needed for the comparison: install the package `nginx-light`")?;
    nginx.wait_ready(address)?;
    Ok((nginx, address))
}

/// As an administrator would write it for an API: one entry per credential and path, in memory if possible.
fn configure(address: SocketAddr, origin: SocketAddr, directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {directory}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    fastcgi_temp_path {directory}/fastcgi;
    proxy_temp_path {directory}/proxy;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    proxy_cache_path {directory}/cache keys_zone=api:10m inactive=1h;
    open_file_cache max=1000 inactive=60s;
    keepalive_requests 100000000;
    sendfile on;
    tcp_nopush on;
    server {{
        listen {address};
        location / {{
            proxy_pass http://{origin};
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_cache api;
            proxy_cache_key \"$request_method $request_uri $http_authorization\";
            proxy_cache_valid 200 1h;
            proxy_ignore_headers Cache-Control Expires Vary;
            proxy_cache_lock on;
            add_header X-Cache-Status $upstream_cache_status;
        }}
    }}
}}
"
    )
}
