"""Questions to a network in SQL: its graph and its analyses as tables of an in-memory SQLite database."""

from specc.query.ask import Answer, ask, limit_memory
from specc.query.questions import QUESTIONS, Question
from specc.query.tables import TABLES, Column, Table

__all__ = ["QUESTIONS", "TABLES", "Answer", "Column", "Question", "Table", "ask", "limit_memory"]
