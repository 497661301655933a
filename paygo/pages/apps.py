from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "paygo.pages"
    label = "pages"
    verbose_name = "Pages for people"
