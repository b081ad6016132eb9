//! ssr: a job as one file that needs nothing else: to keep, to print, to send.

use leptos::prelude::*;
use wire::{CourseView, JobView, News};

use super::block_map::MapPicture;
use super::coordination::facts_of;
use super::device_table::DeviceRows;
use super::result_panel::result_table;
use super::time_line::Lanes;
use crate::course::names_of;
use crate::format::{duration, grouped, short_id};
use crate::live::Live;
use crate::page_material::PageMaterial;
use crate::texts::{SITE, job as texts};

/// The report of the job that `news` are about, with all of its styles; nothing where there is no
/// job.
#[must_use]
pub fn report(news: News, styles: &str) -> Option<String> {
    let owner = Owner::new();
    let html = owner.with(|| {
        provide_context(PageMaterial::new(news));
        Live::provide();
        let live = Live::expect();
        let job = live.job.get_untracked()?;
        Some(document_of(&job, live, styles).to_html())
    });
    owner.unset_with_forced_cleanup();
    Some(format!("<!DOCTYPE html>{}", html?))
}

fn document_of(job: &JobView, live: Live, styles: &str) -> impl IntoView + use<> {
    let title = format!("{} {} · {SITE}", texts::TITLE, short_id(&job.id));
    let [rows, inner, cols] = [job.rows, job.inner, job.cols].map(|side| grouped(side.into()));
    let facts = facts_of(job, live).into_iter().map(|(name, text)| {
        view! {
            <div>
                <dt>{name}</dt>
                <dd>{text}</dd>
            </div>
        }
    });
    let names = Memo::new(move |_| live.course.with(names_of));
    let cut = Signal::derive(move || live.course.with(CourseView::cut));
    let preview = live.preview.get_untracked();
    let styles = styles.replace("</", "<\\/");
    view! {
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <title>{title}</title>
                <style inner_html=styles></style>
            </head>
            <body class="report">
                <main>
                    <section class="panel">
                        <h1>{texts::TITLE} " " <span class="mono">{short_id(&job.id)}</span></h1>
                        <p>
                            {format!("{rows} × {inner} times {inner} × {cols}: {}, ", job.status)}
                            {texts::blocks_done(job.blocks.done, job.blocks.total)}
                            {format!(", {}", duration(job.elapsed_ms))}
                        </p>
                        <p class="mono breakable muted">{job.id.to_string()}</p>
                        <dl class="facts">{facts.collect_view()}</dl>
                    </section>
                    <section class="panel">
                        <h2>{texts::MAP}</h2>
                        <MapPicture course=live.course.into() cut />
                    </section>
                    <section class="panel">
                        <h2>{texts::LINE}</h2>
                        <Lanes course=live.course.into() names />
                    </section>
                    <section class="panel">
                        <h2>{texts::DEVICES}</h2>
                        <div class="scroll"><DeviceRows live names /></div>
                    </section>
                    <section class="panel">
                        <h2>{texts::RESULT}</h2>
                        <p class="muted">{texts::result_size(job.rows, job.cols)}</p>
                        {result_table(preview.as_ref())}
                    </section>
                </main>
            </body>
        </html>
    }
}
