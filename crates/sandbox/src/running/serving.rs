//! The listeners of a sandbox, and what each of them serves.

use std::sync::Arc;

use tokio::{net::TcpListener, sync::watch};

use super::Running;
use crate::{
    cmdlet::Service,
    control,
    door::{self, Entrance},
    entra, graph, intercept, net,
};

impl Running {
    pub(super) fn serve_sign_in(
        &mut self,
        listener: TcpListener,
        base: String,
        stopped: &watch::Receiver<bool>,
    ) {
        let world = Arc::clone(&self.world);
        let accepting = net::accept(listener, stopped.clone(), move |wire, reset| {
            let (world, base) = (Arc::clone(&world), base.clone());
            net::serve_connection(wire, move |request| {
                let (world, base, reset) = (Arc::clone(&world), base.clone(), reset.clone());
                async move { entra::serve(&world, &base, &reset, request).await }
            })
        });
        self.tasks.push(tokio::spawn(accepting));
    }

    pub(super) fn serve_wire(
        &mut self,
        listener: TcpListener,
        service: Service,
        front: bool,
        base: String,
        stopped: &watch::Receiver<bool>,
    ) {
        let world = Arc::clone(&self.world);
        let entrance = Arc::new(Entrance {
            service,
            base,
            front,
            real: false,
        });
        let accepting = net::accept(listener, stopped.clone(), move |wire, reset| {
            let (world, entrance) = (Arc::clone(&world), Arc::clone(&entrance));
            net::serve_connection(wire, move |request| {
                let (world, entrance) = (Arc::clone(&world), Arc::clone(&entrance));
                let reset = reset.clone();
                async move { door::serve(&world, &entrance, &reset, request).await }
            })
        });
        self.tasks.push(tokio::spawn(accepting));
    }

    pub(super) fn serve_graph(
        &mut self,
        listener: TcpListener,
        entrance: graph::Entrance,
        stopped: &watch::Receiver<bool>,
    ) {
        let world = Arc::clone(&self.world);
        let entrance = Arc::new(entrance);
        let accepting = net::accept(listener, stopped.clone(), move |wire, reset| {
            let (world, entrance) = (Arc::clone(&world), Arc::clone(&entrance));
            net::serve_connection(wire, move |request| {
                let (world, entrance) = (Arc::clone(&world), Arc::clone(&entrance));
                let reset = reset.clone();
                async move { graph::serve(&world, &entrance, &reset, request).await }
            })
        });
        self.tasks.push(tokio::spawn(accepting));
    }

    pub(super) fn serve_download(
        &mut self,
        listener: TcpListener,
        authority: String,
        stopped: &watch::Receiver<bool>,
    ) {
        let world = Arc::clone(&self.world);
        let accepting = net::accept(listener, stopped.clone(), move |wire, reset| {
            let (world, authority) = (Arc::clone(&world), authority.clone());
            net::serve_connection(wire, move |request| {
                let (world, authority) = (Arc::clone(&world), authority.clone());
                let reset = reset.clone();
                async move { graph::download::serve(&world, &authority, &reset, request).await }
            })
        });
        self.tasks.push(tokio::spawn(accepting));
    }

    pub(super) fn serve_side_doors(
        &mut self,
        managed: TcpListener,
        control: TcpListener,
        stopped: &watch::Receiver<bool>,
    ) {
        let world = Arc::clone(&self.world);
        let accepting = net::accept(managed, stopped.clone(), move |wire, _| {
            let world = Arc::clone(&world);
            net::serve_connection(wire, move |request| {
                let world = Arc::clone(&world);
                async move { net::fine(entra::managed::serve(&world, &request)) }
            })
        });
        self.tasks.push(tokio::spawn(accepting));
        let world = Arc::clone(&self.world);
        let accepting = net::accept(control, stopped.clone(), move |wire, _| {
            let world = Arc::clone(&world);
            net::serve_connection(wire, move |request| {
                let world = Arc::clone(&world);
                async move { net::fine(control::serve(&world, request).await) }
            })
        });
        self.tasks.push(tokio::spawn(accepting));
    }

    pub(super) fn serve_proxy(
        &mut self,
        listener: Option<TcpListener>,
        stopped: &watch::Receiver<bool>,
    ) {
        let (Some(listener), Some(authority)) = (listener, self.authority.clone()) else {
            return;
        };
        let world = Arc::clone(&self.world);
        let accepting = net::accept(listener, stopped.clone(), move |wire, reset| {
            intercept::connection(Arc::clone(&world), Arc::clone(&authority), wire, reset)
        });
        self.tasks.push(tokio::spawn(accepting));
    }
}
